"""Concave coverage of tags: each further row of a tag counts less, so that every tag gets its turn.

The value of a chosen set is the sum over tags of the square root of how many chosen rows have the tag.

Source: Lin & Bilmes 2011 (concave over modular functions); Lu et al. 2024, #InsTag (tags of instructions).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import numpy as np

from zhiling.curation.selection.choice import Choice, Numbers, Shares

_Kind = tuple[int, tuple[int, ...]]


def choose(tags: Sequence[Sequence[int]], shares: Shares, rank: Numbers, had: Mapping[int, int]) -> Choice:
    """Rows with what each added to the value; ties go to the row of the smaller rank.

    Args:
        tags: the tags of each row, as numbers.
        shares: how many rows to take of which stratum.
        rank: a number per row, each once; rows with equal tags are taken in this order.
        had: how many rows with each tag are already there.
    """
    waiting = _by_kind(tags, shares, rank)
    left, counts = shares.quotas.tolist(), dict(had)

    def gain(kind: _Kind) -> float:
        return sum((counts.get(tag, 0) + 1) ** 0.5 - counts.get(tag, 0) ** 0.5 for tag in kind[1])

    # One entry for all rows of a stratum with equal tags: else each choice would make them all stale.
    heap = [(-gain(kind), int(rank[rows[-1]]), kind) for kind, rows in waiting.items()]
    heapq.heapify(heap)
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < shares.size:
        _, place, kind = heapq.heappop(heap)
        if not left[kind[0]]:
            continue
        fresh = gain(kind)
        if heap and (-fresh, place) > heap[0][:2]:
            heapq.heappush(heap, (-fresh, place, kind))
            continue
        left[kind[0]] -= 1
        chosen.append(waiting[kind].pop())
        gains.append(fresh)
        for tag in kind[1]:
            counts[tag] = counts.get(tag, 0) + 1
        if waiting[kind]:
            heapq.heappush(heap, (-gain(kind), int(rank[waiting[kind][-1]]), kind))
    return Choice(np.array(chosen, dtype=np.int64), np.array(gains, dtype=np.float64))


def _by_kind(tags: Sequence[Sequence[int]], shares: Shares, rank: Numbers) -> dict[_Kind, list[int]]:
    """Rows of each stratum and set of tags, the first by rank at the end."""
    waiting: dict[_Kind, list[int]] = {}
    stratum: list[int] = shares.stratum.tolist()
    ordered: list[int] = np.argsort(-rank, kind="stable").tolist()
    for row in ordered:
        waiting.setdefault((stratum[row], tuple(sorted(set(tags[row])))), []).append(row)
    return waiting
