"""Which rows could stand for which: a sparse graph of nearest neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.selection.cells import Cells, cosines, nearest
from zhiling.curation.selection.choice import Numbers, Vectors

MOST_PAIRS = 1 << 26
"""Pairs of a graph: 64 neighbours for a million rows, 0.4 GB."""
BLOCK_PAIRS = 1 << 22
FEWEST = 64
FACTOR = 4


@dataclass(frozen=True)
class Graph:
    """Candidate j could stand for the rows `rows[starts[j]:starts[j + 1]]`, always for itself.

    Attributes:
        starts: shape (n + 1,).
        rows: row numbers, rising within each candidate.
        similarities: of candidate and row, above 0, in the precision of the vectors.
    """

    starts: Numbers
    rows: NDArray[np.int32]
    similarities: Vectors

    def span(self, candidate: int) -> slice:
        """Where the rows of a candidate lie."""
        return slice(self.starts[candidate], self.starts[candidate + 1])

    def blocks(self) -> Iterator[tuple[slice, slice, Numbers]]:
        """Pieces of about four million pairs: candidates, their pairs, the candidate of each pair."""
        height = len(self.starts) - 1
        step = max(BLOCK_PAIRS * height // max(len(self.rows), 1), 1)
        for start in range(0, height, step):
            stop = min(start + step, height)
            owner = np.repeat(np.arange(start, stop), np.diff(self.starts[start : stop + 1]))
            yield slice(start, stop), slice(self.starts[start], self.starts[stop]), owner

    def weighted(self, weights: NDArray[np.float64]) -> Graph:
        """The graph in which candidate j stands for each row only as well as `weights[j]` (0 to 1) says."""
        similarities = self.similarities.copy()
        for _, pairs, owner in self.blocks():
            similarities[pairs] *= weights[owner].astype(similarities.dtype)
        return Graph(self.starts, self.rows, similarities)

    def across(self, stratum: Numbers, factor: float) -> Graph:
        """The graph in which a candidate stands for rows of another stratum only as well as `factor` says."""
        similarities = self.similarities.copy()
        for _, pairs, owner in self.blocks():
            other = stratum[owner] != stratum[self.rows[pairs]]
            similarities[pairs] *= np.where(other, factor, 1).astype(similarities.dtype)
        return Graph(self.starts, self.rows, similarities)


def enough(height: int, size: int) -> int:
    """How many neighbours to look at: four times the rows that a chosen row stands for, 64 or more.

    With fewer, dense regions could not be covered by one row. A million rows get 64 to stay within memory.
    """
    wanted = max(FEWEST, FACTOR * height // max(size, 1))
    return min(wanted, max(MOST_PAIRS // max(height, 1), FEWEST))


def graph(vectors: Vectors, cells: Cells, count: int) -> Graph:
    """The graph of each row's `count` nearest rows (itself first) whose cosine is above 0."""
    height = len(vectors)
    count = max(min(count, height), 1)
    others = np.full((height, count), -1, dtype=np.int32)
    values = np.zeros((height, count), dtype=vectors.dtype)
    for own, among in cells.searches():
        found = cosines(vectors[own], vectors[among])
        itself = np.searchsorted(among, own)
        found[np.arange(len(own)), itself] = np.inf  # an empty text too stands for itself
        taken = min(count, len(among))
        best = np.argpartition(found, len(among) - taken, axis=1)[:, len(among) - taken :]
        others[own, :taken] = among[best]
        values[own, :taken] = np.minimum(np.take_along_axis(found, best, axis=1), 1)
    for block in _blocks(height, count):
        others[block][values[block] <= 0] = -1
    return _transposed(others, values)


def _transposed(others: NDArray[np.int32], values: Vectors) -> Graph:
    """The pairs by candidate instead of by row, in blocks: a sort of all at once would need 2 GB more."""
    height, count = others.shape
    starts = np.zeros(height + 1, dtype=np.int64)
    for block in _blocks(height, count):
        starts[1:] += np.bincount(others[block][others[block] >= 0], minlength=height)
    np.cumsum(starts, out=starts)
    rows, similarities = np.empty(starts[-1], np.int32), np.empty(starts[-1], values.dtype)
    filled = starts[:-1].copy()
    for block in _blocks(height, count):
        pairs = np.flatnonzero(others[block] >= 0)
        candidate = others[block].ravel()[pairs]
        order = np.argsort(candidate, kind="stable")
        candidate, pairs = candidate[order], pairs[order]
        numbers = np.bincount(candidate, minlength=height)
        place = np.arange(len(pairs)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        place += filled[candidate]
        rows[place] = block.start + pairs // count
        similarities[place] = values[block].ravel()[pairs]
        filled += numbers
    return Graph(starts, rows, similarities)


def _blocks(height: int, count: int) -> list[slice]:
    """The rows in blocks of about four million pairs."""
    step = max(BLOCK_PAIRS // count, 1)
    return [slice(start, start + step) for start in range(0, height, step)]


def stand_ins(vectors: Vectors, cells: Cells, chosen: Numbers) -> Numbers:
    """For each row the chosen row (at least one) that stands for it: the nearest, itself where chosen."""
    is_chosen = np.zeros(len(vectors), dtype=np.bool_)
    is_chosen[chosen] = True
    answer = np.empty(len(vectors), dtype=np.int64)
    for own, among in cells.searches(is_chosen):
        best, _ = nearest(vectors[own], vectors[among])
        answer[own] = among[best]
    answer[chosen] = chosen
    return answer
