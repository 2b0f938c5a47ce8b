"""Facility location: the rows that, together, lie nearest to all rows, chosen lazily and greedily.

The value of a chosen set S is the sum over all rows i of max over j in S of the similarity s(i, j) >= 0; each
row adds what it improves. The greedy choice is within 1 - 1/e of the best set.

Source: Mirchandani & Francis 1990 (the problem); Nemhauser et al. 1978 (the bound); Minoux 1978 (lazy
evaluation); Wei et al. 2014 (sparse similarities). Deviation: similarities outside each row's nearest rows
count as 0, so memory and time are linear in the pairs.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.selection.choice import Choice, Shares
from zhiling.curation.selection.neighbours import Graph

BLOCK_PAIRS = 1 << 22


def choose(graph: Graph, shares: Shares, covered: NDArray[np.float32]) -> Choice:
    """Rows with what each added to the value, falling; ties go to the smaller number.

    Args:
        graph: which rows could stand for which, and how well.
        shares: how many rows to take of which stratum.
        covered: per row, the similarity to what is already there (zeros for nothing).
    """
    left, best = shares.quotas.tolist(), covered.astype(np.float32).copy()
    stratum: list[int] = shares.stratum.tolist()

    def gain(row: int) -> float:
        span = graph.span(row)
        return float(np.maximum(graph.similarities[span] - best[graph.rows[span]], 0).sum(dtype=np.float64))

    # A gain can only shrink, so a row whose fresh gain still leads the heap is the best of all.
    heap = list(zip((-first_gains(graph, best)).tolist(), range(len(best)), strict=True))
    heapq.heapify(heap)
    rows: list[int] = []
    gains: list[float] = []
    while len(rows) < shares.size:
        _, row = heapq.heappop(heap)
        if not left[stratum[row]]:
            continue
        fresh = gain(row)
        if heap and (-fresh, row) > heap[0]:
            heapq.heappush(heap, (-fresh, row))
            continue
        left[stratum[row]] -= 1
        rows.append(row)
        gains.append(fresh)
        span = graph.span(row)
        best[graph.rows[span]] = np.maximum(best[graph.rows[span]], graph.similarities[span])
    return Choice(np.array(rows, dtype=np.int64), np.array(gains, dtype=np.float64))


def first_gains(graph: Graph, covered: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each row alone would add to the value, shape (n,)."""
    height = len(covered)
    gains = np.zeros(height)
    step = max(BLOCK_PAIRS * height // max(len(graph.rows), 1), 1)
    for start in range(0, height, step):
        stop = min(start + step, height)
        pairs = slice(graph.starts[start], graph.starts[stop])
        added = np.maximum(graph.similarities[pairs] - covered[graph.rows[pairs]], 0)
        owner = np.repeat(np.arange(stop - start), np.diff(graph.starts[start : stop + 1]))
        gains[start:stop] = np.bincount(owner, weights=added, minlength=stop - start)
    return gains


def value(similarities: NDArray[np.float32], chosen: NDArray[np.int64]) -> float:
    """The value of a set under dense similarities (n, n); 0 for the empty set, n where all is chosen."""
    return float(similarities[:, chosen].max(axis=1).sum(dtype=np.float64)) if len(chosen) else 0.0
