"""Whether made rows are about the same things as real ones, and as long: labels, topics, lengths.

A round that aims at failures shifts these on purpose, so the rules tell them and stop for none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.figures import FIGURES, enough, filled, finite
from zhiling.curation.selection.cells import centres, nearest
from zhiling.errors import UsageError
from zhiling.text.tokens import token_counts

TOPICS = 32
DRAWS = 500
"""Pairs of samples of the real shares that give the floor."""


@dataclass(frozen=True, config=FIGURES)
class Shift:
    """Distance of two histograms: the share of rows that would have to change places.

    Attributes:
        distance: total variation, 0 (the same shares) to 1 (nothing in common).
        floor: mean distance of two samples of these sizes from the real shares.
        floor_error: standard deviation of that.
    """

    distance: float
    floor: float
    floor_error: float


@dataclass(frozen=True, config=FIGURES)
class Lengths:
    """Lengths of made rows in tokens (words; characters of Chinese) beside real ones.

    Attributes:
        ratio: median of the made over median of the real rows.
        apart: largest distance between the two cumulative shares (Kolmogorov–Smirnov), 0 to 1.
    """

    ratio: float
    apart: float


def label_shift(made: Sequence[str], real: Sequence[str], seed: int = 0) -> Shift:
    """How far the labels of made rows are from those of real rows.

    Anchor: labels a, a, b, b against a, b, b, b are .25 apart.

    Raises:
        UsageError: fewer than 20 rows on a side.
    """
    enough("labels", made=len(made), real=len(real))
    _, numbers = np.unique(np.array([*made, *real], dtype=np.str_), return_inverse=True)
    return _shift(numbers[: len(made)], numbers[len(made) :], seed)


def topic_shift(made: NDArray[np.float32], real: NDArray[np.float32], seed: int = 0) -> Shift:
    """How far the topics of made rows are from those of real rows: 32 clusters of the real ones.

    Args:
        made: vectors of length 1, (rows, dimension).
        real: the same of the real rows.
        seed: of the floor.

    Raises:
        UsageError: fewer than 20 rows on a side, or NaN.
    """
    for each in (made, real):
        finite("topics", [each])
    enough("topics", made=len(made), real=len(real))
    order = np.random.default_rng([seed, len(real)]).permutation(len(real))
    middle = centres(real[order], min(TOPICS, len(real) // 4))
    return _shift(nearest(made, middle)[0], nearest(real, middle)[0], seed)


def length_shift(made: pl.Series, real: pl.Series) -> Lengths:
    """How the lengths of made texts differ from those of real ones.

    Raises:
        UsageError: fewer than 20 texts on a side, nulls, or real texts of which half have no token.
    """
    enough("lengths", made=len(made), real=len(real))
    ours, theirs = (
        np.sort(token_counts(filled("lengths", each)).to_numpy().astype(np.int64)) for each in (made, real)
    )
    middle = float(np.median(theirs))
    if not middle:
        raise UsageError("lengths: the median real text has 0 tokens", hint="leave out rows without text")
    places = np.union1d(ours, theirs)
    shares = [np.searchsorted(each, places, side="right") / len(each) for each in (ours, theirs)]
    return Lengths(float(np.median(ours)) / middle, float(np.abs(shares[0] - shares[1]).max()))


def _shift(made: NDArray[np.int64], real: NDArray[np.int64], seed: int) -> Shift:
    cells = int(max(made.max(), real.max())) + 1
    ours, theirs = (np.bincount(each, minlength=cells) / len(each) for each in (made, real))
    rng = np.random.default_rng([seed, len(made), len(real)])
    first, second = (rng.multinomial(len(each), theirs, size=DRAWS) / len(each) for each in (made, real))
    floors = np.abs(first - second).sum(axis=1) / 2
    return Shift(float(np.abs(ours - theirs).sum() / 2), float(floors.mean()), float(floors.std(ddof=1)))
