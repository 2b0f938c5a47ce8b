"""Facility location: the rows that, together, lie nearest to all rows, chosen lazily and greedily.

The value of a chosen set S is the sum over all rows i of max over j in S of the similarity s(i, j) >= 0; each
row adds what it improves. The greedy choice is within 1 - 1/e of the best set.

Source: Mirchandani & Francis 1990 (the problem); Nemhauser et al. 1978 (the bound); Minoux 1978 (lazy
evaluation). Deviation: similarities outside each row's nearest rows count as 0, so memory is linear.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1024
"""Rows whose similarities to all others are held at once: 4 MB per 1,000 rows of the table."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """Sparse, symmetric similarities: row i is like `others[starts[i]:starts[i + 1]]`, itself included."""

    starts: NDArray[np.int64]
    others: NDArray[np.int64]
    similarities: NDArray[np.float32]


def neighbours(vectors: Vectors, count: int) -> Neighbours:
    """Pairs of which one is among the other's `count` nearest, with their cosine where it is above 0.

    Args:
        vectors: float32 (n, dimension), rows of length 1 or 0.
        count: nearest rows looked at per row, the row itself included.
    """
    height = len(vectors)
    count = min(count, height)
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    for start in range(0, height, BLOCK_ROWS):
        cosines = vectors[start : start + BLOCK_ROWS] @ vectors.T
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        rows = np.repeat(np.arange(start, start + len(cosines)), count)
        pairs.append((rows, nearest.ravel(), np.take_along_axis(cosines, nearest, axis=1).ravel()))
    itself = np.arange(height)
    first = np.concatenate([*(pair[0] for pair in pairs), itself])
    second = np.concatenate([*(pair[1] for pair in pairs), itself])
    value = np.concatenate([*(pair[2] for pair in pairs), np.ones(height, dtype=np.float32)])
    value[first == second] = 1  # an empty text has a zero vector, and still stands for itself
    return _symmetric(first, second, value, height)


def _symmetric(
    first: NDArray[np.int64], second: NDArray[np.int64], value: NDArray[np.float32], height: int
) -> Neighbours:
    keys = np.concatenate([first * height + second, second * height + first])
    keys, place = np.unique(keys, return_index=True)
    values = np.concatenate([value, value])[place]
    keys, values = keys[values > 0], values[values > 0]
    starts = np.searchsorted(keys, np.arange(height + 1) * height)
    return Neighbours(starts, keys % height if height else keys, values)


def choose(
    near: Neighbours, strata: Sequence[str], quotas: dict[str, int], covered: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Chosen rows in order of choice, and what each added to the value; ties go to the smaller number.

    Args:
        near: similarities of all rows.
        strata: the stratum of each row.
        quotas: how many rows to choose of each stratum; each stratum has as many.
        covered: per row, the similarity to what is already there (zeros for nothing).
    """
    left, best = dict(quotas), covered.astype(np.float32).copy()

    def gain(row: int) -> float:
        span = slice(near.starts[row], near.starts[row + 1])
        return float(np.maximum(near.similarities[span] - best[near.others[span]], 0).sum(dtype=np.float64))

    # A gain can only shrink, so a row whose fresh gain still leads the heap is the best of all.
    heap = [(-gain(row), row) for row in range(len(best))]
    heapq.heapify(heap)
    chosen: list[int] = []
    gains: list[float] = []
    total = sum(left.values())
    while len(chosen) < total:
        _, row = heapq.heappop(heap)
        if not left[strata[row]]:
            continue
        fresh = gain(row)
        if heap and (-fresh, row) > heap[0]:
            heapq.heappush(heap, (-fresh, row))
            continue
        left[strata[row]] -= 1
        chosen.append(row)
        gains.append(fresh)
        span = slice(near.starts[row], near.starts[row + 1])
        best[near.others[span]] = np.maximum(best[near.others[span]], near.similarities[span])
    return np.asarray(chosen, dtype=np.int64), np.asarray(gains, dtype=np.float64)


def nearest(vectors: Vectors, among: Vectors) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each vector the row of `among` (not empty) with the highest cosine, and that; ties to the first."""
    rows = np.zeros(len(vectors), dtype=np.int64)
    values = np.zeros(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        cosines = vectors[start : start + BLOCK_ROWS] @ among.T
        best = cosines.argmax(axis=1)
        rows[start : start + len(cosines)] = best
        values[start : start + len(cosines)] = cosines[np.arange(len(cosines)), best]
    return rows, values
