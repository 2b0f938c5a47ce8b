"""Arms side by side on the same rows: before any tuning, control, and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from zhiling.errors import UsageError
from zhiling.evaluation.metrics.counted import Counted
from zhiling.evaluation.metrics.labels import counted_by
from zhiling.evaluation.metrics.metric import Metric
from zhiling.evaluation.metrics.row_mean import RowMean
from zhiling.evaluation.scores import Changed, LabelScore, LabelScores, Scores, SliceScores, TestRows
from zhiling.evaluation.statistics import paired_bootstrap
from zhiling.pipeline.registry import load

Runs = Mapping[int, Sequence[str | None]]
"""Seed → one answer per test row; None where there was none."""

PAIRS = (("after", "control"), ("after", "before"))
CHANGE = ("control", "after")


@dataclass(frozen=True)
class Comparison:
    """What `compare_arms` found."""

    scores: Scores
    rows: pl.DataFrame
    """One line per test row: id, text, language, truth, `predicted.<arm>` (majority over the seeds), `change`
    (better, same or worse from control to after by the first metric, where it can tell it of one row, else
    by being the truth; null where an answer is missing)."""


def compare_arms(
    arms: Mapping[str, Runs],
    rows: TestRows,
    *,
    metrics: Sequence[str] = ("accuracy", "macro_f1"),
    pairs: Sequence[tuple[str, str]] | None = None,
    seed: int = 0,
    resamples: int = 2000,
) -> Comparison:
    """Scores with 95 % intervals for all arms and their differences, per label, per language and per row.

    Args:
        arms: name → seed → answers to all rows.
        rows: the test rows.
        metrics: names of metrics.
        pairs: (arm, other): differences to measure; unset: after against control and against before, as far
            as these arms are there.
        seed: of the bootstrap; equal seeds give equal intervals.
        resamples: of the bootstrap.

    Raises:
        UsageError: no arm, an arm without answers or with a wrong number of them, an unknown arm in a pair,
            or no row that all arms answered.
        UnknownName: no metric has this name.
    """
    _refuse_unfit(arms, rows)
    measured: list[Metric] = [load("metric", name)() for name in metrics]
    pairs = [pair for pair in PAIRS if set(pair) <= set(arms)] if pairs is None else pairs
    unknown = sorted({name for pair in pairs for name in pair} - set(arms))
    if unknown:
        raise UsageError(f"no arm is named {unknown!r}", hint=f"arms are: {', '.join(arms)}")
    unanswered = {name: _unanswered(runs, len(rows)) for name, runs in arms.items()}
    scored = np.flatnonzero(~np.any(list(unanswered.values()), axis=0)).tolist()
    if not scored:
        raise UsageError("no test row was answered by all arms, so there is nothing to compare")

    def measure(places: Sequence[int]) -> SliceScores:
        return _measure(arms, rows, places, (measured, pairs), (seed, resamples))

    whole = measure(scored)
    languages = sorted({rows.languages[place] for place in scored})
    table = _row_table(arms, rows, measured[0] if measured else None)
    scores = Scores(
        n=whole.n,
        unscored={name: int(missing.sum()) for name, missing in unanswered.items()},
        seeds=tuple(sorted({number for runs in arms.values() for number in runs})),
        arms=whole.arms,
        differences=whole.differences,
        per_label=_per_label(arms, rows, scored, counted_by(measured)),
        per_language={
            language: measure([place for place in scored if rows.languages[place] == language])
            for language in languages
        },
        changed=_changed(table, scored) if set(CHANGE) <= set(arms) else None,
    )
    return Comparison(scores, table)


def _refuse_unfit(arms: Mapping[str, Runs], rows: TestRows) -> None:
    """Every arm must have at least one seed, and every seed one answer per row."""
    if not arms:
        raise UsageError("no arms were given")
    for name, runs in arms.items():
        if not runs:
            raise UsageError(f"arm {name!r} has no seeds")
        for seed, answers in runs.items():
            if len(answers) != len(rows):
                raise UsageError(
                    f"arm {name!r}, seed {seed}: {len(answers)} answers to {len(rows)} test rows"
                )


def _unanswered(runs: Runs, rows: int) -> np.ndarray:
    """Where at least one seed gave no answer, shape (rows,)."""
    missing = np.zeros(rows, dtype=np.bool_)
    for answers in runs.values():
        missing |= np.array([answer is None for answer in answers], dtype=np.bool_)
    return missing


def _answers(runs: Runs, places: Sequence[int]) -> list[list[str]]:
    """The answers to some rows, one list per seed, seeds in order."""
    return [[str(runs[seed][place]) for place in places] for seed in sorted(runs)]


def _measure(
    arms: Mapping[str, Runs],
    rows: TestRows,
    places: Sequence[int],
    wanted: tuple[Sequence[Metric], Sequence[tuple[str, str]]],
    drawing: tuple[int, int],
) -> SliceScores:
    """All metrics of all arms and pairs on some rows."""
    metrics, pairs = wanted
    truth = [rows.truth[place] for place in places]
    answers = {name: _answers(runs, places) for name, runs in arms.items()}
    drawn = {
        metric.name: paired_bootstrap(metric, answers, truth, seed=drawing[0], resamples=drawing[1])
        for metric in metrics
    }
    return SliceScores(
        n=len(places),
        arms={name: {metric: found.interval(name) for metric, found in drawn.items()} for name in arms},
        differences={
            f"{arm}-{other}": {metric: found.difference(arm, other) for metric, found in drawn.items()}
            for arm, other in pairs
        },
    )


def _per_label(
    arms: Mapping[str, Runs], rows: TestRows, places: Sequence[int], metric: type[Counted]
) -> dict[str, LabelScores]:
    """Precision, recall and F1 of every class that is the truth somewhere; means over the seeds."""
    truth = [rows.truth[place] for place in places]
    own = metric.counts(truth, truth)
    found: dict[str, dict[str, LabelScore]] = {label: {} for label in own.classes}
    for name, runs in arms.items():
        per_seed = [_class_values(metric, truth, answers) for answers in _answers(runs, places)]
        for label, scores in found.items():
            values = np.mean([by_label[label] for by_label in per_seed], axis=0)
            scores[name] = LabelScore(*(float(value) for value in values))
    sizes = dict(zip(own.classes, own.true[0].astype(int).tolist(), strict=True))
    return {label: LabelScores(sizes[label], scores) for label, scores in found.items()}


def _class_values(
    metric: type[Counted], truth: Sequence[str], answers: Sequence[str]
) -> dict[str, tuple[float, float, float]]:
    """Class → precision, recall, F1."""
    counts = metric.counts(truth, answers)
    columns = (counts.precision[0], counts.recall[0], counts.f1[0])
    return dict(zip(counts.classes, zip(*(column.tolist() for column in columns), strict=True), strict=True))


def _majority(runs: Runs, place: int) -> str | None:
    """The answer that most seeds give to a row; of equally frequent ones that of the lowest seed."""
    answers = [runs[seed][place] for seed in sorted(runs)]
    return None if None in answers else Counter(answers).most_common(1)[0][0]


def _row_table(arms: Mapping[str, Runs], rows: TestRows, metric: Metric | None) -> pl.DataFrame:
    """The line per test row that `Comparison.rows` describes."""
    table = pl.DataFrame(
        {"id": rows.ids, "text": rows.texts, "language": rows.languages, "truth": rows.truth},
        schema=dict.fromkeys(("id", "text", "language", "truth"), pl.String),
    ).with_columns(
        pl.Series(
            f"predicted.{name}", [_majority(runs, place) for place in range(len(rows))], dtype=pl.String
        )
        for name, runs in arms.items()
    )
    if not set(CHANGE) <= set(arms):
        return table.with_columns(pl.lit(None, dtype=pl.String).alias("change"))
    first, last = (
        pl.Series(
            [
                _right(metric, true, told)
                for true, told in zip(rows.truth, table[f"predicted.{name}"], strict=True)
            ],
            dtype=pl.Float64,
        )
        for name in CHANGE
    )
    return table.with_columns(_verdicts(first, last).alias("change"))


def _right(metric: Metric | None, true: str, told: str | None) -> float | None:
    """How right an answer is: by a metric that can tell it of one row, else whether it is the truth."""
    if told is None:
        return None
    if isinstance(metric, Counted | RowMean):
        return metric.score([true], [told])
    return float(true == told)


def _verdicts(first: pl.Series, last: pl.Series) -> pl.Series:
    """What became of each row: better, same or worse; null where one of the two is not known."""
    word = (
        pl.when(pl.col("last") > pl.col("first"))
        .then(pl.lit("better"))
        .when(pl.col("last") < pl.col("first"))
        .then(pl.lit("worse"))
        .when(pl.col("last") == pl.col("first"))
        .then(pl.lit("same"))
    )
    return pl.DataFrame({"first": first, "last": last}).select(word).to_series()


def _changed(table: pl.DataFrame, places: Sequence[int]) -> Changed:
    """How many of the scored rows became better, stayed, became worse."""
    counts = Counter(table["change"].gather(pl.Series(places, dtype=pl.UInt32)).to_list())
    return Changed(counts["better"], counts["same"], counts["worse"])
