"""The paired bootstrap: how far a score would move with other test rows and other seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.evaluation.metrics.metric import Floats, Metric
from zhiling.evaluation.scores import Difference, Interval, verdict

LOW_PERCENT, HIGH_PERCENT = 2.5, 97.5
NUMBERS_PER_CHUNK = 4_000_000
"""Row weights held at once: 32 MB."""

Answers = Sequence[Sequence[str]]
"""Predictions of one arm: one sequence of n labels per seed."""


@dataclass(frozen=True)
class Resampled:
    """One metric of all arms on the rows as they are, and on each resample."""

    points: Mapping[str, float]
    """Mean over the arm's seeds."""
    draws: Mapping[str, Floats]
    """Shape (resamples,): the same resample stands at the same place in all arms."""

    def interval(self, arm: str) -> Interval:
        """The arm's score with its 95 % interval."""
        return _interval(self.points[arm], self.draws[arm])

    def difference(self, arm: str, other: str) -> Difference:
        """How much higher `arm` scores than `other`, with the interval of the difference itself."""
        found = _interval(self.points[arm] - self.points[other], self.draws[arm] - self.draws[other])
        return Difference(found.mean, found.low, found.high, verdict(found.low, found.high))


def paired_bootstrap(
    metric: Metric, arms: Mapping[str, Answers], truth: Sequence[str], *, seed: int, resamples: int = 2000
) -> Resampled:
    """The metric of every arm under resampling of rows and of seeds, both with replacement.

    Rows are drawn once per resample for all arms together, so what is easy or hard for all arms cancels in
    a difference. Seeds are drawn once for all arms with the same number of seeds: two equal arms differ by
    exactly 0 in every resample. Equal `seed`, equal result.

    Args:
        metric: what is measured.
        arms: name → predictions, a sequence of n labels per seed.
        truth: n labels, at least one.
        seed: of the resampling.
        resamples: at least 2,000 for two stable digits of a percentile.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3 (percentile interval).
    """
    rng = np.random.default_rng([seed, len(truth)])
    chosen = {
        count: rng.integers(count, size=(resamples, count))
        for count in sorted({len(seeds) for seeds in arms.values()})
    }
    scores: dict[str, list[list[Floats]]] = {name: [[] for _ in seeds] for name, seeds in arms.items()}
    for weights in _row_weights(rng, len(truth), resamples):
        for name, seeds in arms.items():
            for place, predicted in enumerate(seeds):
                scores[name][place].append(metric.weighted(truth, predicted, weights))
    per_seed = {
        name: np.stack([np.concatenate(chunks) for chunks in seeds]) for name, seeds in scores.items()
    }
    return Resampled(
        points={name: _point(metric, seeds, truth) for name, seeds in arms.items()},
        draws={
            name: np.take_along_axis(drawn.T, chosen[len(drawn)], axis=1).mean(axis=1)
            for name, drawn in per_seed.items()
        },
    )


def _point(metric: Metric, seeds: Answers, truth: Sequence[str]) -> float:
    """The mean score over the seeds, on the rows as they are."""
    return float(np.mean([metric.score(truth, predicted) for predicted in seeds]))


def _row_weights(rng: np.random.Generator, rows: int, resamples: int) -> Iterator[Floats]:
    """How often each row was drawn, shape (some resamples, rows), until all resamples were given."""
    chunk = max(1, NUMBERS_PER_CHUNK // rows)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        drawn: NDArray[np.int64] = rng.integers(rows, size=(size, rows))
        drawn += np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def _interval(point: float, draws: Floats) -> Interval:
    """The point with the 2.5th and 97.5th percentile of the resamples."""
    low, high = np.percentile(draws, [LOW_PERCENT, HIGH_PERCENT])
    return Interval(point, float(low), float(high))
