"""The answers of an arm, and what became of each row from one arm to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from zhiling.evaluation.metrics.counted import Counted
from zhiling.evaluation.metrics.metric import Metric, Probabilities
from zhiling.evaluation.metrics.row_mean import RowMean
from zhiling.evaluation.scores import TestRows


@dataclass(frozen=True)
class Told:
    """One answer per test row, None where there was none, and how sure the model was."""

    answers: Sequence[str | None]
    probabilities: Probabilities | None = None

    def take(self, places: Sequence[int]) -> Told:
        """The answers to some rows."""
        sure = self.probabilities.take(places) if self.probabilities else None
        return Told([self.answers[place] for place in places], sure)


Runs = Mapping[int, Sequence[str | None] | Told]
"""Seed → answers to all rows."""


def told_by(runs: Runs) -> dict[int, Told]:
    """The answers of each seed, seeds in order."""
    return {
        seed: each if isinstance(each, Told) else Told(each)
        for seed, each in sorted(runs.items(), key=lambda item: item[0])
    }


def majority(runs: Mapping[int, Told], place: int) -> str | None:
    """The answer that most seeds give to a row; of equally frequent ones that of the lowest seed."""
    answers = [told.answers[place] for told in runs.values()]
    return None if None in answers else Counter(answers).most_common(1)[0][0]


def right(metric: Metric | None, true: str, told: str | None) -> float | None:
    """How right an answer is: by a metric that can tell it of one row, else whether it is the truth."""
    if told is None:
        return None
    if isinstance(metric, Counted | RowMean):
        return metric.score([true], [told])
    return float(true == told)


def row_table(
    arms: Mapping[str, Mapping[int, Told]],
    rows: TestRows,
    metric: Metric | None,
    change: tuple[str, str],
) -> pl.DataFrame:
    """One line per test row, with what each arm answers and whether it became better, stayed or became worse.

    Columns: id, text, language, truth, group and source where they are known, `predicted.<arm>` (majority
    over the seeds), `right.<arm>` in [0, 1], `change`.

    Args:
        arms: name → seed → answers.
        rows: the test rows.
        metric: says how right an answer is, see `right`.
        change: (arm, other): better, same or worse is what the arm's answer is beside the other's; null where
            one of the two is missing.
    """
    columns = {
        "id": rows.ids, "text": rows.texts, "language": rows.languages, "truth": rows.truth,
        **{name: each for name, each in (("group", rows.groups), ("source", rows.sources)) if each},
    }  # fmt: skip
    table = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    answers = {name: [majority(runs, place) for place in range(len(rows))] for name, runs in arms.items()}
    table = table.with_columns(
        pl.Series(f"predicted.{name}", told, dtype=pl.String) for name, told in answers.items()
    ).with_columns(
        pl.Series(
            f"right.{name}",
            [right(metric, true, each) for true, each in zip(rows.truth, told, strict=True)],
            dtype=pl.Float64,
        )
        for name, told in answers.items()
    )
    if not set(change) <= set(arms):
        return table.with_columns(pl.lit(None, dtype=pl.String).alias("change"))
    last, first = (pl.col(f"right.{name}") for name in change)
    word = pl.when(last > first).then(pl.lit("better")).when(last < first).then(pl.lit("worse"))
    return table.with_columns(word.when(last == first).then(pl.lit("same")).alias("change"))
