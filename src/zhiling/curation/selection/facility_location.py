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

from zhiling.curation.selection.choice import Choice, Numbers, Shares
from zhiling.curation.selection.neighbours import Graph


def choose(
    graph: Graph, shares: Shares, covered: NDArray[np.float32], counts: Numbers | None = None
) -> Choice:
    """Rows with what each added to the value, falling; ties go to the smaller number.

    Args:
        graph: which rows could stand for which, and how well.
        shares: how many rows to take of which stratum.
        covered: per row, the similarity to what is already there (zeros for nothing).
        counts: how often each row counts in the value; None: once.
    """
    left, best = shares.quotas.tolist(), covered.astype(np.float32).copy()

    def gain(row: int) -> float:
        span = graph.span(row)
        stood_for = graph.rows[span]
        added = np.maximum(graph.similarities[span] - best[stood_for], 0)
        return float((added if counts is None else added * counts[stood_for]).sum(dtype=np.float64))

    waiting = _Waiting(first_gains(graph, best, counts))
    rows: list[int] = []
    gains: list[float] = []
    while len(rows) < shares.size:
        row = waiting.pop()
        stratum = int(shares.stratum[row])
        if not left[stratum]:
            continue
        # A gain can only shrink, so a row whose fresh gain still leads is the best of all.
        fresh = gain(row)
        if not waiting.leads(fresh, row):
            waiting.push(fresh, row)
            continue
        left[stratum] -= 1
        rows.append(row)
        gains.append(fresh)
        span = graph.span(row)
        best[graph.rows[span]] = np.maximum(best[graph.rows[span]], graph.similarities[span])
    return Choice(np.array(rows, dtype=np.int64), np.array(gains, dtype=np.float64))


class _Waiting:
    """Rows by gain, falling, ties to the smaller number: a sorted array of first gains, a heap of others.

    A heap of a million Python pairs would take 150 MB; most rows are never looked at twice.
    """

    def __init__(self, gains: NDArray[np.float64]) -> None:
        self._order = np.argsort(-gains, kind="stable")
        self._gains = gains
        self._next = 0
        self._heap: list[tuple[float, int]] = []

    def pop(self) -> int:
        first = self._first()
        if self._heap and (first is None or self._heap[0] < first):
            return heapq.heappop(self._heap)[1]
        self._next += 1
        return int(self._order[self._next - 1])

    def push(self, gain: float, row: int) -> None:
        heapq.heappush(self._heap, (-gain, row))

    def leads(self, gain: float, row: int) -> bool:
        """Whether no waiting row comes before one with this gain."""
        mine, first = (-gain, row), self._first()
        return (first is None or mine < first) and (not self._heap or mine < self._heap[0])

    def _first(self) -> tuple[float, int] | None:
        if self._next >= len(self._order):
            return None
        row = int(self._order[self._next])
        return -float(self._gains[row]), row


def first_gains(
    graph: Graph, covered: NDArray[np.float32], counts: Numbers | None = None
) -> NDArray[np.float64]:
    """What each row alone would add to the value, shape (n,)."""
    gains = np.zeros(len(covered))
    for candidates, pairs, owner in graph.blocks():
        stood_for = graph.rows[pairs]
        added = np.maximum(graph.similarities[pairs] - covered[stood_for], 0)
        added = added if counts is None else added * counts[stood_for]
        gains[candidates] = np.bincount(
            owner - candidates.start, weights=added, minlength=candidates.stop - candidates.start
        )
    return gains


def value(similarities: NDArray[np.float32], chosen: Numbers) -> float:
    """The value of a set under dense similarities (n, n); 0 for the empty set, n where all is chosen."""
    return float(similarities[:, chosen].max(axis=1).sum(dtype=np.float64)) if len(chosen) else 0.0
