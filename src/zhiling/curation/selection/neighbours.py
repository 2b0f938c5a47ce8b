"""Which rows could stand for which: a sparse graph of nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.selection.cells import Cells, nearest
from zhiling.curation.selection.choice import Numbers, Vectors

MOST_PAIRS = 1 << 26
"""Pairs of a graph: 64 neighbours for a million rows, 0.5 GB."""
FEWEST = 64
FACTOR = 4


@dataclass(frozen=True)
class Graph:
    """Candidate j could stand for the rows `rows[starts[j]:starts[j + 1]]`, always for itself.

    Attributes:
        starts: shape (n + 1,).
        rows: row numbers, rising within each candidate.
        similarities: of candidate and row, above 0, float32.
    """

    starts: Numbers
    rows: NDArray[np.int32]
    similarities: NDArray[np.float32]

    def span(self, candidate: int) -> slice:
        """Where the rows of a candidate lie."""
        return slice(self.starts[candidate], self.starts[candidate + 1])

    def weighted(self, weights: NDArray[np.float64]) -> Graph:
        """The graph in which candidate j stands for each row only as well as `weights[j]` (0 to 1) says."""
        factor = np.repeat(weights.astype(np.float32), np.diff(self.starts))
        return Graph(self.starts, self.rows, self.similarities * factor)

    def across(self, stratum: Numbers, factor: float) -> Graph:
        """The graph in which a candidate stands for rows of another stratum only as well as `factor` says."""
        own = np.repeat(stratum.astype(np.int32), np.diff(self.starts))
        similarities = self.similarities.copy()
        similarities[own != stratum[self.rows]] *= np.float32(factor)
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
    values = np.zeros((height, count), dtype=np.float32)
    for own, among in cells.searches():
        cosines = vectors[own] @ vectors[among].T
        itself = np.searchsorted(among, own)
        cosines[np.arange(len(own)), itself] = np.inf  # an empty text too stands for itself
        taken = min(count, len(among))
        best = np.argpartition(-cosines, taken - 1, axis=1)[:, :taken]
        others[own, :taken] = among[best]
        values[own, :taken] = np.minimum(np.take_along_axis(cosines, best, axis=1), 1)
    return _transposed(others, values)


def _transposed(others: NDArray[np.int32], values: NDArray[np.float32]) -> Graph:
    height, count = others.shape
    candidate = others.ravel()
    fits = np.flatnonzero((candidate >= 0) & (values.ravel() > 0))
    order = fits[np.argsort(candidate[fits], kind="stable")]
    starts = np.zeros(height + 1, dtype=np.int64)
    np.cumsum(np.bincount(candidate[fits], minlength=height), out=starts[1:])
    return Graph(starts, (order // count).astype(np.int32), values.ravel()[order])


def stand_ins(vectors: Vectors, cells: Cells, chosen: Numbers) -> Numbers:
    """For each row the chosen row (at least one) that stands for it: the nearest, itself where chosen."""
    is_chosen = np.zeros(len(vectors), dtype=np.bool_)
    is_chosen[chosen] = True
    everywhere = np.flatnonzero(is_chosen)
    answer = np.empty(len(vectors), dtype=np.int64)
    for own, among in cells.searches():
        here = among[is_chosen[among]]
        here = here if len(here) else everywhere
        best, _ = nearest(vectors[own], vectors[here])
        answer[own] = here[best]
    answer[everywhere] = everywhere
    return answer
