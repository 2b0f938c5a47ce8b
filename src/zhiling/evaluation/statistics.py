"""The paired bootstrap, over rows or whole groups of them, and McNemar's test of two arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.evaluation.metrics.metric import Floats, Metric, Scorer
from zhiling.evaluation.scores import Difference, Interval, McNemar, verdict

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
    lower_is_better: bool = False

    def interval(self, arm: str) -> Interval:
        """The arm's score with its 95 % interval."""
        return _interval(self.points[arm], self.draws[arm])

    def difference(self, arm: str, other: str) -> Difference:
        """How much higher `arm` scores than `other`, with the interval of the difference itself."""
        found = _interval(self.points[arm] - self.points[other], self.draws[arm] - self.draws[other])
        ends = (-found.high, -found.low) if self.lower_is_better else (found.low, found.high)
        return Difference(found.mean, found.low, found.high, verdict(*ends))


@dataclass(frozen=True)
class Draw:
    """Which resamples are drawn; equal draws give equal weights.

    Attributes:
        rows: how many there are, at least one.
        seed: of the resampling.
        resamples: at least 2,000 for two stable digits of a percentile.
        groups: of each row its conversation or document; whole groups are then drawn, as rows of one group
            are right or wrong together and tell less than as many rows of their own. None: each row alone.
    """

    rows: int
    seed: int
    resamples: int = 2000
    groups: Sequence[str] | None = None

    def seeds(self, counts: set[int]) -> tuple[np.random.Generator, dict[int, NDArray[np.int64]]]:
        """Which seeds each resample takes, by how many there are; and the generator, for the rows."""
        rng = np.random.default_rng([self.seed, self.rows])
        return rng, {count: rng.integers(count, size=(self.resamples, count)) for count in sorted(counts)}

    def weights(self, rng: np.random.Generator) -> Iterator[Floats]:
        """How often each row was drawn, shape (some resamples, rows), until all resamples were given."""
        owners = None if self.groups is None else np.unique(list(self.groups), return_inverse=True)[1]
        units = self.rows if owners is None else int(owners.max()) + 1
        chunk = max(1, NUMBERS_PER_CHUNK // self.rows)
        for start in range(0, self.resamples, chunk):
            size = min(chunk, self.resamples - start)
            drawn: NDArray[np.int64] = rng.integers(units, size=(size, units))
            drawn += np.arange(size)[:, None] * units
            times = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
            yield (times if owners is None else times[:, owners]).astype(np.float64)


def paired_bootstrap(
    metric: Metric,
    arms: Mapping[str, Answers],
    truth: Sequence[str],
    *,
    seed: int,
    resamples: int = 2000,
    groups: Sequence[str] | None = None,
) -> Resampled:
    """The metric of every arm under resampling of rows (or groups) and of seeds, both with replacement.

    Args:
        metric: what is measured.
        arms: name → predictions, a sequence of n labels per seed.
        truth: n labels, at least one.
        seed: see `Draw`, as `resamples` and `groups`.
        resamples: how many.
        groups: n names.
    """
    scorers = {name: [metric.scorer(truth, told) for told in seeds] for name, seeds in arms.items()}
    return bootstrap(scorers, Draw(len(truth), seed, resamples, groups), metric.lower_is_better)


def bootstrap(
    scorers: Mapping[str, Sequence[Scorer]], draw: Draw, lower_is_better: bool = False
) -> Resampled:
    """The score of every arm on the rows as they are, and on each resample.

    Rows are drawn once per resample for all arms together, so what is easy or hard for all arms cancels in
    a difference. Seeds are drawn once for all arms with the same number of seeds: two equal arms differ by
    exactly 0 in every resample.

    Args:
        scorers: arm → one per seed.
        draw: the resamples.
        lower_is_better: of the metric.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3 (percentile interval);
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8 (whole groups).
    """
    rng, chosen = draw.seeds({len(seeds) for seeds in scorers.values()})
    drawn: dict[str, list[list[Floats]]] = {name: [[] for _ in seeds] for name, seeds in scorers.items()}
    for weights in draw.weights(rng):
        for name, seeds in scorers.items():
            for place, score in enumerate(seeds):
                drawn[name][place].append(score(weights))
    whole = np.ones((1, draw.rows))
    per_seed = {name: np.stack([np.concatenate(chunks) for chunks in seeds]) for name, seeds in drawn.items()}
    return Resampled(
        points={
            name: float(np.mean([score(whole)[0] for score in seeds])) for name, seeds in scorers.items()
        },
        draws={
            name: np.take_along_axis(each.T, chosen[len(each)], axis=1).mean(axis=1)
            for name, each in per_seed.items()
        },
        lower_is_better=lower_is_better,
    )


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Whether two arms differ in how many rows they have right, by the rows that only one of them has right.

    p = min(1, 2 · P(X ≤ min(b, c))) with X binomial of b + c rows and 1/2: exact, two-sided. It takes rows
    for independent: where they stand in groups, the clustered interval is the one to read.

    Anchors: b = 1 and c = 9 give 2 · (1 + 10) / 2¹⁰ = .0215; b = c gives 1.

    Args:
        first: which rows the first arm has right, n.
        second: which the second has.

    Source: McNemar 1947, Note on the Sampling Error of the Difference between Correlated Proportions;
    Fagerland et al. 2013, The McNemar test for binary matched-pairs data (the exact test).
    """
    b = sum(one and not other for one, other in zip(first, second, strict=True))
    c = sum(other and not one for one, other in zip(first, second, strict=True))
    term = total = 1
    for number in range(min(b, c)):
        term = term * (b + c - number) // (number + 1)
        total += term
    return McNemar(b, c, min(1.0, float((2 * total) / 2 ** (b + c))))


def _interval(point: float, draws: Floats) -> Interval:
    """The point with the 2.5th and 97.5th percentile of the resamples."""
    low, high = np.percentile(draws, [LOW_PERCENT, HIGH_PERCENT])
    return Interval(point, float(low), float(high))
