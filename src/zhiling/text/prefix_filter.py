"""Where similar rows must meet: posting lists of the rarest shingles of each row.

Two rows with Jaccard >= t share a shingle among the first n - ceil(t·n) + 1 of each, in any one order of all
shingles (n = size of the row's set). With the rarest first most of these stand in one row only and need no
list.

Source: Chaudhuri, Ganti, Kaushik (2006), "A primitive operator for similarity joins in data cleaning".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zhiling.text.linking import Postings, Rows
from zhiling.text.shingles import Shingles, same_size

_MOST_TABLE_BITS = 24
_SLACK = 1e-9


def prefix_postings(shingles: Shingles, rows: Rows, threshold: float) -> Postings:
    """Postings such that any two of `rows` (none empty) with Jaccard >= `threshold` share a group.

    Group = shingle, row = row number, position = place of the shingle in the row's order, rarest first.
    """
    sizes = shingles.sizes
    prefix = sizes - np.ceil(threshold * sizes - _SLACK).astype(np.int64) + 1
    frequency = _frequencies(shingles, rows)
    for _ in range(2):
        # A shingle of one row only brings nobody together: a row whose whole prefix is such shingles has no
        # partner. Without these rows more shingles stand alone: a second look pays, a third did not (4 %
        # fewer rows).
        shared = _shared_counts(shingles, rows, frequency)
        rows = rows[sizes[rows] - shared < prefix[rows]]
        frequency = _frequencies(shingles, rows)
    return _postings(shingles, rows, prefix, frequency)


def _frequencies(shingles: Shingles, rows: Rows) -> NDArray[np.uint32]:
    """Occurrences in `rows` by the high bits of the hash: never less than a shingle's own, mostly equal.

    The estimate is a function of the hash alone, which is all that one common order needs.
    """
    total = int(shingles.sizes[rows].sum())
    bits = min(max(total.bit_length() + 1, 4), _MOST_TABLE_BITS)
    table = np.zeros(1 << bits, dtype=np.uint32)
    for _, part in shingles.parts(rows):
        np.add.at(table, _slots(part.hashes, table), np.uint32(1))
    return table


def _slots(hashes: NDArray[np.uint32], table: NDArray[np.uint32]) -> NDArray[np.uint32]:
    return hashes >> np.uint32(33 - len(table).bit_length())


def _shared_counts(shingles: Shingles, rows: Rows, frequency: NDArray[np.uint32]) -> Rows:
    """For each of the rows how many of its shingles stand (by estimate) in other rows too."""
    counts = np.zeros(len(rows), dtype=np.int64)
    for place, part in shingles.parts(rows):
        shared = frequency[_slots(part.hashes, frequency)] > 1
        counts[place] = np.add.reduceat(shared, part.offsets[:-1], dtype=np.int64)
    return counts


def _postings(shingles: Shingles, rows: Rows, prefix: Rows, frequency: NDArray[np.uint32]) -> Postings:
    """The prefix of each row as postings; shingles with an estimate of one are left out."""
    groups: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.int64]] = []
    positions: list[NDArray[np.int64]] = []
    for numbers, size in same_size(shingles.sizes[rows]):
        chosen = rows[numbers]
        cells = shingles.hashes[shingles.offsets[chosen][:, None] + np.arange(size)]
        rank = (frequency[_slots(cells, frequency)].astype(np.uint64) << np.uint64(32)) | cells
        rank.sort(axis=1)
        rank = rank[:, : int(prefix[chosen[0]])]
        line, position = np.nonzero(rank >> np.uint64(32) > np.uint64(1))
        groups.append((rank[line, position] & np.uint64(0xFFFFFFFF)).astype(np.int64))
        owners.append(chosen[line])
        positions.append(position)
    if not groups:
        empty = np.empty(0, dtype=np.int64)
        return Postings(empty, empty, empty)
    postings = Postings(np.concatenate(groups), np.concatenate(owners), np.concatenate(positions))
    postings = postings.take(np.lexsort((postings.row, postings.group)))
    met = np.zeros(len(postings.group), dtype=np.bool_)
    met[1:] = postings.group[1:] == postings.group[:-1]
    met[:-1] |= met[1:]
    return postings.take(np.flatnonzero(met))
