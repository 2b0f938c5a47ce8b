"""A fresh judge: how well a classifier that no generator has met tells made rows from real ones.

Its AUC is held against what the same judge reaches between two random halves of the real rows. Outside of
that floor the made rows are told from real ones, or stand nearer to real rows than these to each other
(copies fall below it). That alone is no collapse: in a self-consuming loop the AUC moved .64 → .69 while
distinct-2 fell .33 → .07; so the rules tell it, and stop for what `copies` and `spread` measure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass as plain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.figures import FIGURES, enough, finite, sparse
from zhiling.curation.length_matched import length_matched
from zhiling.encoders.sparse import require
from zhiling.errors import UsageError

JUDGED_ROWS = 1000
"""Rows of each side that are judged: an AUC then errs by .013, and the products of all pairs take 72 MB."""
SPLITS = 8
"""Random halves of the real rows that make the floor."""
RIDGE = 1.0
"""Penalty of the judge, for rows of length 1 in each part of the features."""

Groups = tuple[Sequence[str], Sequence[str]]
Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, config=FIGURES)
class Judged:
    """A fresh judge's AUC beside its floor.

    Attributes:
        auc: of made against real rows: 1 told apart, .5 not, below .5 where made rows copy real ones (on
            vectors of 400 numbers a half that is copied gives about .3).
        floor: mean AUC between two random halves of the real rows, as large as the judged sides.
        floor_error: standard error of such an AUC.
        rows: of each side.
    """

    auc: float
    floor: float
    floor_error: float
    rows: int

    @property
    def alarm(self) -> bool:
        """The AUC is outside its floor ± 2 standard errors."""
        return abs(self.auc - self.floor) > 2 * self.floor_error


def fresh_judge(real: Sequence[Any], made: Sequence[Any], seed: int, groups: Groups | None = None) -> Judged:
    """The AUC of a new least-squares classifier on rows that it has not seen, and the floor of that AUC.

    Both sides have one size, at most half of the real rows, so that the floor is as hard to leave. The judge
    learns on one half and judges the other, and the other way round.

    Args:
        real: features of the real rows: matrices with one row per text, dense or sparse (CSR), rows of
            length 1 or 0, that stand side by side.
        made: the same of the made rows.
        seed: of the samples and halves: a new one for each round.
        groups: names for the real and for the made rows; rows of one name are learnt from or judged, never
            both. A variant of a real row has that row's name. None: each row alone.

    Raises:
        UsageError: fewer than 40 real or 20 made rows, NaN, or sides that do not fit together.

    Source: Rifkin et al. 2003, Regularized least-squares classification; Hanley & McNeil 1982 (error of the
    AUC, here the least that the floor's error can be).
    """
    sizes = _sizes(real, made, groups)
    rng = np.random.default_rng([seed, *sizes])
    count = min(sizes[1], sizes[0] // 2, JUDGED_ROWS)
    halves = rng.permutation(sizes[0])[: 2 * count]
    drawn = rng.permutation(sizes[1])[:count]
    owners = _owners(halves, drawn, groups)
    kernel = np.ones((3 * count, 3 * count))  # what a constant feature adds: the bias
    for one, other in zip(real, made, strict=True):
        kernel += _products(one[halves], other[drawn])
    court = _Court(kernel, owners, rng)
    floors = np.array([court.auc(rng.permutation(2 * count), count) for _ in range(SPLITS)])
    against = np.arange(2 * count, 3 * count)
    aucs = [court.auc(np.concatenate([against, half]), count) for half in _halves(rng.permutation(2 * count))]
    least = np.sqrt((2 * count + 1) / (12.0 * count * count))
    return Judged(float(np.mean(aucs)), float(floors.mean()), float(max(floors.std(ddof=1), least)), count)


@plain(frozen=True)
class _Court:
    """Products of all rows with each other, and who belongs together."""

    kernel: Floats
    owners: Numbers
    rng: np.random.Generator

    def auc(self, rows: Numbers, count: int) -> float:
        """How well the first `count` of the rows are told from the others."""
        first = np.arange(len(rows)) < count
        wanted = np.where(first, 1.0, -1.0)
        folds = self._folds(rows)
        if folds.min() == folds.max():
            return 0.5  # one group holds all rows: none is unseen
        scores = np.zeros(len(rows))
        for fold in (0, 1):
            rest, held = folds != fold, folds == fold
            block = self.kernel[np.ix_(rows[rest], rows[rest])]
            block[np.diag_indices_from(block)] += RIDGE
            around: Floats = wanted[rest] - wanted[rest].mean()
            scores[held] = self.kernel[np.ix_(rows[held], rows[rest])] @ np.linalg.solve(block, around)
        return float(np.mean([_auc(scores[folds == fold], first[folds == fold]) for fold in (0, 1)]))

    def _folds(self, rows: Numbers) -> Numbers:
        """0 or 1 for each row: whole groups, dealt out in a random order."""
        _, owner = np.unique(self.owners[rows], return_inverse=True)
        return (self.rng.permutation(int(owner.max()) + 1) % 2)[owner]


def _auc(scores: Floats, first: NDArray[np.bool_]) -> float:
    """.5 where one side is missing: nothing was told apart."""
    found = length_matched(scores, np.ones(len(scores)), first).share
    return float(np.nan_to_num(found, nan=0.5))


def _halves(rows: Numbers) -> Iterator[Numbers]:
    yield rows[: len(rows) // 2]
    yield rows[len(rows) // 2 :]


def _products(real: Any, made: Any) -> NDArray[np.float32]:
    """All products of the rows of one part: (real + made) squared."""
    if sparse(real):
        both = require("scipy.sparse").vstack([real, made]).tocsr()
        return (both @ both.T).toarray()
    dense = np.concatenate([real, made]).astype(np.float32, copy=False)
    return dense @ dense.T


def _owners(halves: Numbers, drawn: Numbers, groups: Groups | None) -> Numbers:
    if groups is None:
        return np.arange(len(halves) + len(drawn))
    names = [groups[0][place] for place in halves.tolist()] + [groups[1][place] for place in drawn.tolist()]
    return np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1]


def _sizes(real: Sequence[Any], made: Sequence[Any], groups: Groups | None) -> tuple[int, int]:
    """Rows of both sides, after all checks."""
    for side in (real, made):
        finite("fresh judge", side)
    shapes = [[int(part.shape[1]) for part in side] for side in (real, made)]
    if shapes[0] != shapes[1]:
        raise UsageError(
            f"fresh judge: features of {shapes[0]!r} columns for real and {shapes[1]!r} for made rows",
            hint="make both with the same encoders, in the same order",
        )
    sizes = int(real[0].shape[0]), int(made[0].shape[0])
    enough("fresh judge", half_of_real=sizes[0] // 2, made=sizes[1])
    if groups is not None and (len(groups[0]), len(groups[1])) != sizes:
        raise UsageError(
            f"fresh judge: {len(groups[0])} and {len(groups[1])} groups of {sizes[0]} and {sizes[1]} rows",
            hint="give the group of each real and of each made row",
        )
    return sizes
