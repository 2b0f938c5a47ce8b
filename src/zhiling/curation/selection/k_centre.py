"""K-centre: each next row is the one farthest from all rows chosen so far.

The largest distance of any row to its nearest chosen one is at most twice the smallest possible.

Source: Gonzalez 1985; Malkomes et al. 2015 (many rows: candidates from parts, then one choice among them);
Sener & Savarese 2018 (as a way to choose training data).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.selection.choice import Choice, Numbers, Shares, Vectors

MOST_PRODUCTS = 1 << 27
"""Row × chosen row up to which the choice looks at all rows."""
SURPLUS = 2
"""Candidates a part gives, as a multiple of its share."""
AHEAD = 64
"""Farthest rows whose cosines are computed together."""


def choose(vectors: Vectors, shares: Shares, covered: NDArray[np.float32]) -> Choice:
    """Rows with the distance 1 - cosine to what was there before each; ties go to the smaller number.

    The first row is the one nearest to the mean of all, unless `covered` (cosine to what is already there)
    says where to start.
    """
    candidates = np.sort(np.concatenate(list(_candidates(vectors, shares, covered)) or [shares.stratum[:0]]))
    part = Shares(shares.stratum[candidates], shares.quotas)
    chosen = _farthest(vectors[candidates], part, covered[candidates])
    return Choice(candidates[chosen.rows], chosen.scores)


def _candidates(vectors: Vectors, shares: Shares, covered: NDArray[np.float32]) -> Iterator[Numbers]:
    """All rows of the strata asked for; of many, those that their part would choose."""
    for number, quota in enumerate(shares.quotas.tolist()):
        rows = np.flatnonzero(shares.stratum == number) if quota else shares.stratum[:0]
        if len(rows) * quota <= MOST_PRODUCTS:
            yield rows
            continue
        # Rows come in the order of their ids, which are hashes: every part is a fair sample.
        parts = np.array_split(rows, round((len(rows) / quota) ** 0.5))
        for part in parts:
            share = min(-(-SURPLUS * quota // len(parts)), len(part))
            alone = Shares(np.zeros(len(part), dtype=np.int64), np.array([share]))
            yield part[_farthest(vectors[part], alone, covered[part]).rows]


def _farthest(vectors: Vectors, shares: Shares, covered: NDArray[np.float32]) -> Choice:
    """The greedy choice among all of these rows."""
    vectors = vectors.astype(np.float32, copy=False)
    left = shares.quotas.copy()
    cosine = covered.astype(np.float32).copy()
    closed = left[shares.stratum] == 0
    if not covered.any() and len(vectors):
        # Nothing is there yet: as if the rows opposite to the mean were covered already.
        cosine = -(vectors @ vectors.mean(axis=0))
    ahead: dict[int, NDArray[np.float32]] = {}
    rows: list[int] = []
    scores: list[float] = []
    while len(rows) < shares.size:
        still = np.where(closed, np.inf, cosine)
        row = int(still.argmin())
        scores.append(1 - float(cosine[row]))
        rows.append(row)
        closed[row] = True
        left[shares.stratum[row]] -= 1
        if not left[shares.stratum[row]]:
            closed |= shares.stratum == shares.stratum[row]
        if row not in ahead:
            ahead = _products(vectors, row, still)
        similar = ahead[row]
        cosine = similar.copy() if len(rows) == 1 and not covered.any() else np.maximum(cosine, similar)
    return Choice(np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float64))


def _products(vectors: Vectors, row: int, cosine: NDArray[np.float64]) -> dict[int, NDArray[np.float32]]:
    """The cosines of a row to all, and of those that may soon be chosen: one product for many costs less."""
    few = min(AHEAD, len(cosine))
    soon = np.argpartition(cosine, few - 1)[:few]
    asked = np.concatenate([[row], soon[soon != row]])
    return dict(zip(asked.tolist(), vectors[asked] @ vectors.T, strict=True))
