"""adversarial.8: what a round of the loop on 10,000 rows costs beside a filter that is applied once.

    OMP_NUM_THREADS=1 python benchmarks/adversarial/cost.py

CLINC150 and BANKING77, five known rows a label, all other rows as lines. The filter once: `retrieve` labels
the lines, a judge of labels is fitted on the known rows and asked about 10,000 of them. A round: the second
of the loop, `propose` and `accept` with all that belongs to it (aim, two discriminators, student, fresh
judge, probes, guards, files). Both views of all texts are cached for both. CPU seconds of one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from few_shot import DATA, SETS, SHOTS, Labelled, drawn, loop, made, parts
from frozen import Frozen
from record import record, row

from zhiling.adversarial.discriminators.match import fit_match
from zhiling.adversarial.features import features

ROWS, RUNS = 10_000, 3
GENERATOR = {"use": "retrieve", "least": -1}
GUARDS = {"patience": 9, "bad_probes": 1, "accepted_least": 0, "distinct": 0, "vendi": 0, "copies": 1}
"""So that no guard ends the rounds or drops the generator: the second round is what is timed."""


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of the work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def filter_once(known: Labelled, lines: list[str], seed: int) -> None:
    """Labels the lines and keeps what fits."""
    found = made(known, lines[:ROWS], [{"id": "near", **GENERATOR}], seed)
    (texts, told), names = zip(*known, strict=True), sorted({label for _, label in known})
    numbers = np.array([names.index(label) for label in told])
    encoder = Frozen()
    judge = fit_match(
        features(texts, encoder), numbers, len(names), np.random.default_rng(seed), np.ones(len(texts), bool)
    )
    asked = np.array([names.index(label) for label in found["label"].to_list()])
    fits = judge.fits(features(found["text"].to_list(), encoder), asked)
    print(f"{(fits > judge.strictness(0.05)).sum()} of {len(fits)} rows fit", file=sys.stderr)


def rounds(known: Labelled, lines: list[str], seed: int, count: int) -> None:
    """So many rounds of the loop."""
    steps = loop([GENERATOR], count, ROWS)
    steps[0]["steps"][1]["guards"] = GUARDS
    found = made(known, lines, steps, seed)
    print(f"{count} rounds: {found['round'].value_counts().rows()} rows", file=sys.stderr)


def once_and_round(rows: Labelled, seed: int) -> tuple[float, float]:
    """CPU seconds of the filter once, and of the loop's second round."""
    known, hidden = drawn(rows, SHOTS, seed)
    lines = [text for text, _ in hidden]
    once = cpu_s(lambda: filter_once(known, lines, seed))
    first, both = (cpu_s(partial(rounds, known, lines, seed, count)) for count in (1, 2))
    print(f"{len(lines)} lines: {once:.1f}, {first:.1f}, {both:.1f} CPU s", file=sys.stderr, flush=True)
    return once, both - first


def main() -> None:
    """Measures and records."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    rows = [each for name in SETS for part in parts(name, "dev") for each in part]
    features([text for text, _ in rows], Frozen())
    Frozen.save()
    told = [once_and_round(rows, seed) for seed in range(RUNS)]
    ratios = [second / once for once, second in told]
    value, low, high = (round(float(each(ratios)), 2) for each in (np.median, min, max))
    once, second = (round(float(np.median(each)), 1) for each in zip(*told, strict=True))
    measured = row(
        "adversarial.8", "CPU time of a round on 10,000 rows over that of a filter once", value, 3.0, "lower",
        low=low, high=high, n=RUNS, unit="ratio", data="clinc150 and banking77",
        beside={"filter once, CPU s": once, "second round, CPU s": second},
        note="median of three draws, least and greatest; both views of the texts cached",
    )  # fmt: skip
    print(record("adversarial", [measured]), file=sys.stderr)


if __name__ == "__main__":
    main()
