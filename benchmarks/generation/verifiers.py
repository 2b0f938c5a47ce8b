"""generation.12: planted faults of spans, numbers, constraints, order, …; how many are found?

    OMP_NUM_THREADS=1 python benchmarks/generation/verifiers.py [dialogue-zh ...]

Each pair is a row as it is and the same row with one fault. Found: the share of faulty rows that are
rejected, of pairs whose row as it is passes. Falsely flagged: the share of rows as they are that do not pass.
Of public sets only half of the rows is read, chosen by a hash of key or text; with TRIAL in the environment
the other half is, from which spellings of numbers were learnt (tatoeba, dialogsum); nothing is recorded then.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

from record import record, row  # noqa: E402
from verifier_constraints import constrained  # noqa: E402
from verifier_dialogues import STEPS as REPLAYS  # noqa: E402
from verifier_dialogues import dialogues  # noqa: E402
from verifier_notices import notices  # noqa: E402
from verifier_rows import TRIAL, Pair, answers, entities, frame, summaries, translations, types  # noqa: E402
from verifier_sequences import lists, procedures  # noqa: E402
from verifier_summaries import SETS, summed_up  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.evaluation.slices import wilson  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.verification.check import Check  # noqa: E402
from zhiling.verification.constraints import Constraints  # noqa: E402
from zhiling.verification.same_facts import SameFacts  # noqa: E402
from zhiling.verification.sequence_order import SequenceOrder  # noqa: E402
from zhiling.verification.spans import Spans  # noqa: E402
from zhiling.verification.summary_support import SummarySupport  # noqa: E402

SEED = 1 if TRIAL else 12
STEPS = {
    "span": "spans",
    "number": "same_facts",
    "constraint": "constraints",
    "order": "sequence_order",
    "dependency": "sequence_order",
    "summary": "summary_support",
    "dialogue": "dialogue_replay",
}
LANGUAGES = {"en": "English", "zh": "Chinese"}
LETTERS = (*"abcdefghijklmnopqrstuvwxyz", "za", "zb")
FAULTS = [(kind, language) for kind in STEPS for language in LANGUAGES]
Part = tuple[str, Check, list[Pair]]


def parts(kind: str, language: str) -> Iterator[Part]:
    """What a kind of fault is planted into, with the step that must find it."""
    draw = random.Random(f"{SEED} {kind} {language}")
    english = language == "en"
    if kind == "span":
        tagged = "conll2003" if english else "cluener2020"
        asked = "xquad" if english else "cmrc2018"
        yield asked, Spans(), list(answers(asked, draw))
        yield tagged, Spans(types=types(tagged)), list(entities(tagged, draw))
    elif kind == "number":
        yield "tatoeba", SameFacts(), list(translations(language, draw))
        yield "own notices", SameFacts(), list(notices(language, draw))
        if english:
            yield "dialogsum", SameFacts(), list(summaries(draw))
    elif kind == "constraint":
        yield "own replies", Constraints(), list(constrained(language, draw))
    elif kind == "order":
        yield "dolly and alpaca_en" if english else "alpaca_zh", SequenceOrder(), list(lists(language, draw))
    elif kind == "summary":
        for name in SETS[language]:
            yield name, SummarySupport(language=language), list(summed_up(name, draw))
    elif kind == "dialogue":
        for name in ("sgd" if english else "crosswoz_state", "own talks"):
            yield name, REPLAYS[name], list(dialogues(name, language, draw))
    else:
        yield "own procedures", SequenceOrder(), list(procedures(language, draw))


def rejected(step: Check, pairs: list[Pair], which: int) -> pl.Series:
    """Which rows the step rejects; each of them must be seen."""
    rows = frame([pair[which] for pair in pairs])
    if not step.applies(rows).all():
        raise SystemExit(f"{step.name} passes some rows by")
    return step.decide(rows, Context(step.name))["verdict"] != "keep"


def measured(kind: str, language: str) -> Iterator[dict[str, Any]]:
    """Two rows of results: faults found, rows falsely flagged."""
    found = passed = flagged = total = 0
    beside: dict[str, dict[str, float]] = {"found": {}, "false": {}}
    for name, step, pairs in parts(kind, language):
        started = time.process_time()
        clean, faulty = (rejected(step, pairs, which) for which in (0, 1))
        seconds = time.process_time() - started
        fair = ~clean
        caught = int((faulty & fair).sum())
        beside["found"][name] = round(caught / int(fair.sum()), 4)
        beside["false"][name] = round(float(clean.mean()), 4)
        found, passed = found + caught, passed + int(fair.sum())
        flagged, total = flagged + int(clean.sum()), total + len(pairs)
        print(name, kind, language, len(pairs), beside["found"][name], beside["false"][name],
              f"{seconds / len(pairs) / 2 * 1e3:.2f} ms a row", file=sys.stderr)  # fmt: skip
    letters = iter(LETTERS[2 * FAULTS.index((kind, language)) :])
    for what, hits, n, goal, direction in (
        (f"planted {kind} faults found", found, passed, 0.95, "higher"),
        (f"rows without a {kind} fault flagged", flagged, total, 0.02, "lower"),
    ):
        share = wilson(hits, n)
        parts_of = beside["found" if direction == "higher" else "false"]
        yield row(
            f"generation.12{next(letters)}", f"{what}, {LANGUAGES[language]}", round(share.mean, 4), goal,
            direction,
            low=round(share.low, 4), high=round(share.high, 4), n=n, unit="share", step=STEPS[kind],
            data=", ".join(parts_of), beside=parts_of if len(parts_of) > 1 else {},
        )  # fmt: skip


def without_words(language: str) -> float:
    """The share of wrong places of entities found where the target does not tell their words."""
    name = "conll2003" if language == "en" else "cluener2020"
    pairs = list(entities(name, random.Random(SEED), told=False))
    return round(float(rejected(Spans(), pairs, 1).mean()), 4)


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    rows: list[dict[str, Any]] = []
    for kind, language in FAULTS:
        if f"{kind}-{language}" in (sys.argv[1:] or [f"{kind}-{language}"]):
            found, flagged = measured(kind, language)
            if kind == "span":
                found["note"] = (
                    f"entities whose words the target does not tell: {without_words(language)} found"
                )
            rows += [found, flagged]
    for result in rows:
        print(result["what"], result["value"], result["beside"], file=sys.stderr)
    if not TRIAL:
        print(record("generation", rows), file=sys.stderr)


if __name__ == "__main__":
    main()
