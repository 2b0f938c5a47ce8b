"""Arms side by side on the same rows: before any tuning, control, and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.evaluation.answered import Runs, Told, row_table, told_by
from zhiling.evaluation.metrics.counted import Counted
from zhiling.evaluation.metrics.labels import counted_by
from zhiling.evaluation.metrics.metric import Metric, Scorer
from zhiling.evaluation.scores import (
    Changed,
    LabelScore,
    LabelScores,
    McNemar,
    Scores,
    SliceScores,
    TestRows,
)
from zhiling.evaluation.statistics import Draw, Resampled, bootstrap, mcnemar
from zhiling.pipeline.registry import load

PAIRS = (("after", "control"), ("after", "before"))


@dataclass(frozen=True)
class Comparison:
    """What `compare_arms` found."""

    scores: Scores
    rows: pl.DataFrame
    """One line per test row, see `answered.row_table`; `change` is from control to after, or of the first
    pair that was asked for."""
    arms: Arms

    def slices(self, values: Sequence[str]) -> dict[str, tuple[SliceScores, Changed]]:
        """Scores, and how rows changed, of each part of the scored rows: those with the same value.

        Args:
            values: one per test row; empty where a row is in no part.
        """
        return {
            value: (self.arms.measure(places), _changed(self.rows, places))
            for value, places in self.arms.parts(values).items()
            if value
        }


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

    Where rows stand in groups, whole groups are resampled (see `statistics.Draw`).

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
    change = pairs[0] if pairs else PAIRS[0]
    pairs = [pair for pair in PAIRS if set(pair) <= set(arms)] if pairs is None else pairs
    unknown = sorted({name for pair in pairs for name in pair} - set(arms))
    if unknown:
        raise UsageError(f"no arm is named {unknown!r}", hint=f"arms are: {', '.join(arms)}")
    told = Arms(
        {name: told_by(runs) for name, runs in arms.items()}, rows, measured, pairs, (seed, resamples)
    )
    if not told.scored:
        raise UsageError("no test row was answered by all arms, so there is nothing to compare")
    table = row_table(told.arms, rows, measured[0] if measured else None, change)
    return Comparison(_scores(told, table, both=set(change) <= set(arms)), table, told)


def _scores(told: Arms, table: pl.DataFrame, *, both: bool) -> Scores:
    """Everything that is measured; `both` arms of the change are there."""
    whole = told.measure(told.scored)
    scored = told.rows.take(told.scored)
    return Scores(
        n=whole.n,
        unscored={name: int(missing.sum()) for name, missing in told.unanswered.items()},
        seeds=tuple(sorted({seed for runs in told.arms.values() for seed in runs})),
        arms=whole.arms,
        differences=whole.differences,
        per_label=told.per_label(),
        per_language={
            language: told.measure(places) for language, places in told.parts(told.rows.languages).items()
        },
        changed=_changed(table, told.scored) if both else None,
        mcnemar={f"{arm}-{other}": _mcnemar(table, told.scored, arm, other) for arm, other in told.pairs},
        groups=len(set(scored.clusters)) if scored.clusters else None,
        lower_is_better=tuple(metric.name for metric in told.metrics if metric.lower_is_better),
    )


def _refuse_unfit(arms: Mapping[str, Runs], rows: TestRows) -> None:
    """Every arm must have at least one seed, and every seed one answer per row."""
    if not arms:
        raise UsageError("no arms were given")
    for name, runs in arms.items():
        if not runs:
            raise UsageError(f"arm {name!r} has no seeds")
        for seed, told in told_by(runs).items():
            if len(told.answers) != len(rows):
                raise UsageError(
                    f"arm {name!r}, seed {seed}: {len(told.answers)} answers to {len(rows)} test rows"
                )


@dataclass(frozen=True)
class Arms:
    """What is measured: arms, rows, metrics, pairs, and seed and number of the resamples."""

    arms: Mapping[str, Mapping[int, Told]]
    rows: TestRows
    metrics: Sequence[Metric]
    pairs: Sequence[tuple[str, str]]
    drawing: tuple[int, int]

    @cached_property
    def unanswered(self) -> dict[str, NDArray[np.bool_]]:
        """Arm → where at least one seed gave no answer, shape (rows,)."""
        return {
            name: np.any([[each is None for each in told.answers] for told in runs.values()], axis=0)
            for name, runs in self.arms.items()
        }

    @cached_property
    def scored(self) -> list[int]:
        """Places of the rows that all arms answered."""
        return np.flatnonzero(~np.any(list(self.unanswered.values()), axis=0)).tolist()

    def parts(self, values: Sequence[str]) -> dict[str, list[int]]:
        """Value → places of the scored rows that have it."""
        found: dict[str, list[int]] = {}
        for place in self.scored:
            found.setdefault(values[place], []).append(place)
        return dict(sorted(found.items()))

    @cached_property
    def _known(self) -> dict[tuple[int, ...], SliceScores]:
        return {}

    def measure(self, places: Sequence[int]) -> SliceScores:
        """All metrics of all arms and pairs on some rows; measured once, as the draws are the same."""
        key = tuple(places)
        if key not in self._known:
            self._known[key] = self._measured(places)
        return self._known[key]

    def _measured(self, places: Sequence[int]) -> SliceScores:
        drawn = {metric.name: self._resampled(metric, places) for metric in self.metrics}
        return SliceScores(
            n=len(places),
            arms={
                name: {
                    metric: found.interval(name) for metric, found in drawn.items() if name in found.points
                }
                for name in self.arms
            },
            differences={
                f"{arm}-{other}": {
                    metric: found.difference(arm, other)
                    for metric, found in drawn.items()
                    if {arm, other} <= set(found.points)
                }
                for arm, other in self.pairs
            },
        )

    def _resampled(self, metric: Metric, places: Sequence[int]) -> Resampled:
        """A metric of all arms that it can be told of, on some rows."""
        rows = self.rows.take(places)
        scorers: dict[str, list[Scorer]] = {}
        for name, runs in self.arms.items():
            told = [each.take(places) for each in runs.values()]
            if metric.needs_probabilities and any(each.probabilities is None for each in told):
                continue
            scorers[name] = [
                metric.scorer(rows.truth, list(map(str, each.answers)), each.probabilities) for each in told
            ]
        return bootstrap(scorers, Draw(len(places), *self.drawing, rows.clusters), metric.lower_is_better)

    def per_label(self) -> dict[str, LabelScores]:
        """Precision, recall and F1 of every class that is the truth somewhere; means over the seeds."""
        truth = self.rows.take(self.scored).truth
        metric = counted_by(self.metrics, truth)
        if metric is None:
            return {}
        own = metric.counts(truth, truth)
        found: dict[str, dict[str, LabelScore]] = {label: {} for label in own.classes}
        for name, runs in self.arms.items():
            per_seed = [
                _class_values(metric, truth, list(map(str, told.take(self.scored).answers)))
                for told in runs.values()
            ]
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


def _mcnemar(table: pl.DataFrame, places: Sequence[int], arm: str, other: str) -> McNemar:
    """The test of two arms: right is what scores 1."""
    scored = table[list(places)]
    first, second = ((scored[f"right.{name}"] == 1).to_list() for name in (arm, other))
    return mcnemar(first, second)


def _changed(table: pl.DataFrame, places: Sequence[int]) -> Changed:
    """How many of the scored rows became better, stayed, became worse."""
    counts = Counter(table["change"].gather(pl.Series(places, dtype=pl.UInt32)).to_list())
    return Changed(counts["better"], counts["same"], counts["worse"])
