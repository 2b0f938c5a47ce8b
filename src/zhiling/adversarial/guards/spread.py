"""Whether made rows are as different from each other as real ones are: distinct-2 and Vendi as ratios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass as plain

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.figures import FIGURES, Estimate, enough, filled, finite
from zhiling.curation.diversity_measures import distinct_n, vendi_score
from zhiling.errors import UsageError

COMPARED_ROWS = 1000
"""Rows of each side that are compared: both measures move with the number of rows."""
WHOLE, HALVES = 3, 8
"""Equal-size samples whose ratios are averaged, and half-size ones that give the error."""

Rows = NDArray[np.int64]
Measure = Callable[["_Side", Rows], float]


@dataclass(frozen=True, config=FIGURES)
class Spread:
    """Diversity of made rows over that of as many real ones; 1: as diverse, 0: all the same.

    Attributes:
        distinct: ratio of distinct-2, different pairs of tokens over all pairs.
        vendi: ratio of the Vendi scores, effective numbers of different rows; None without vectors.
        rows: of each side that was compared.
    """

    distinct: Estimate
    vendi: Estimate | None
    rows: int


@plain(frozen=True)
class _Side:
    texts: pl.Series
    vectors: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.texts)

    def distinct(self, rows: Rows) -> float:
        return distinct_n(self.texts.gather(rows), 2)

    def vendi(self, rows: Rows) -> float:
        return float("nan") if self.vectors is None else vendi_score(self.vectors[rows])


def spread(
    made: pl.Series,
    real: pl.Series,
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    seed: int = 0,
) -> Spread:
    """How diverse the made texts are beside equal-size samples of the real ones.

    The error is the spread of the ratio over half-size samples, whose variance is about that of the whole
    (delete-half jackknife).

    Anchors: a real sample against itself is 1; a text that is repeated n times has a Vendi score of 1, so its
    ratio is 1 over that of the real sample.

    Args:
        made: the texts of a round.
        real: real texts.
        vectors: of the made and of the real texts, rows of length 1 (an empty text: 0).
        seed: of the samples.

    Raises:
        UsageError: fewer than 20 rows on a side, nulls, NaN, vectors of other texts, or a side in which no
            text has two tokens or no text has a vector.

    Source: Li et al. 2016 (distinct-2); Friedman & Dieng 2023 (Vendi); Shao & Wu 1989 (delete-d jackknife).
    """
    enough("spread", made=len(made), real=len(real))
    sides = _sides(made, real, vectors)
    count = min(len(made), len(real), COMPARED_ROWS)
    rng = np.random.default_rng([seed, len(made), len(real)])
    draws = [[rng.permutation(len(side)) for side in sides] for _ in range(HALVES)]
    measures: list[Measure] = [_Side.distinct] if vectors is None else [_Side.distinct, _Side.vendi]
    found = [_ratio(measure, sides, draws, count) for measure in measures]
    return Spread(found[0], found[1] if len(found) > 1 else None, count)


def _ratio(measure: Measure, sides: tuple[_Side, _Side], draws: list[list[Rows]], count: int) -> Estimate:
    def once(orders: list[Rows], size: int) -> float:
        values = [measure(side, order[:size]) for side, order in zip(sides, orders, strict=True)]
        if not np.isfinite(values).all() or not values[1]:
            raise UsageError(
                f"spread: diversity of {values[0]!r} among made and {values[1]!r} among real rows",
                hint="both sides need texts of two tokens or more, with vectors that are not all zero",
            )
        return values[0] / values[1]

    whole = [once(orders, count) for orders in draws[:WHOLE]]
    halves = [once(orders, count // 2) for orders in draws]
    return Estimate(float(np.mean(whole)), float(np.std(halves, ddof=1)))


def _sides(
    made: pl.Series, real: pl.Series, vectors: tuple[NDArray[np.float32], NDArray[np.float32]] | None
) -> tuple[_Side, _Side]:
    texts = filled("spread", made), filled("spread", real)
    if vectors is None:
        return _Side(texts[0], None), _Side(texts[1], None)
    for each in vectors:
        finite("spread", [each])
    if tuple(map(len, vectors)) != (len(made), len(real)):
        raise UsageError(
            f"spread: {len(vectors[0])} and {len(vectors[1])} vectors of {len(made)} and {len(real)} texts",
            hint="give one vector for each made and each real text",
        )
    return _Side(texts[0], vectors[0]), _Side(texts[1], vectors[1])
