"""From rows that meet in a group (a bucket, a posting list) to verified pairs, without comparing all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zhiling.text.buffers import row_ranges
from zhiling.text.compiled import kernels
from zhiling.text.overlap import jaccard, most_common, parity_bitmaps
from zhiling.text.shingles import Shingles
from zhiling.text.union_find import components

Rows = NDArray[np.int64]

_BLOCK_PAIRS = 1 << 20
# Below this many pairs the bitmaps of all rows cost more than they save.
_FEW_PAIRS = 1 << 16
# Rounding of the threshold may only let more pairs through; the exact comparison decides.
_SLACK = 1e-9


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows with their exact similarity: three arrays of one length, int64, int64, float64."""

    left: Rows
    right: Rows
    jaccard: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.left)


@dataclass(frozen=True)
class Postings:
    """Which rows meet where: posting k says that `row[k]` is in `group[k]`; sorted by group, then row.

    `position[k]` is how many of the row's shingles can not be shared with a row that it meets here for the
    first time (0 where nothing is known).
    """

    group: Rows
    row: Rows
    position: Rows

    def take(self, order: Rows) -> Postings:
        """The postings at the given places."""
        return Postings(self.group[order], self.row[order], self.position[order])

    def among(self, rows: Rows) -> Postings:
        """The postings of these rows (ascending), without groups that only one of them is in."""
        known = np.zeros(int(self.row.max(initial=-1)) + 1, dtype=np.bool_)
        known[rows[rows < len(known)]] = True
        kept = self if known.all() else self.take(np.flatnonzero(known[self.row]))
        alone = np.ones(len(kept.group), dtype=np.bool_)
        alone[1:] = kept.group[1:] != kept.group[:-1]
        alone[:-1] &= alone[1:].copy()
        return kept.take(np.flatnonzero(~alone))

    def pairs_once(self) -> Postings:
        """The same meetings with one group for any two rows, however often they meet without a third."""
        sizes = self.group_sizes()
        first = np.flatnonzero(sizes == 2)[::2]
        pairs = np.column_stack(_unique(self.row[first], self.row[first + 1]))
        group = np.repeat(np.arange(len(pairs)), 2)
        twos = Postings(group, pairs.ravel(), np.zeros_like(group))
        return self.take(np.flatnonzero(sizes > 2)).followed_by(twos)

    def rows(self) -> Rows:
        """The rows that have postings, ascending."""
        present = np.zeros(int(self.row.max(initial=-1)) + 1, dtype=np.bool_)
        present[self.row] = True
        return np.flatnonzero(present)

    def renumbered(self, rows: Rows) -> Postings:
        """The same with each row's place among `rows` (ascending, all of them there) as its number."""
        place = np.zeros(int(rows.max(initial=-1)) + 1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return Postings(self.group, place[self.row], self.position)

    def group_sizes(self) -> Rows:
        """For each posting how many there are in its group."""
        starts = np.flatnonzero(np.diff(self.group, prepend=-1))
        sizes = np.diff(starts, append=len(self.group))
        return np.repeat(sizes, sizes)

    def followed_by(self, other: Postings) -> Postings:
        """These postings and then the others, whose groups get numbers of their own."""
        groups = other.group + (int(self.group[-1]) + 1 if len(self.group) else 0)
        return Postings(
            np.concatenate([self.group, groups]),
            np.concatenate([self.row, other.row]),
            np.concatenate([self.position, other.position]),
        )


@dataclass(frozen=True)
class Limits:
    """The size of each posting's set, and the largest that the set of a partner can have."""

    size: NDArray[np.int32]
    most: NDArray[np.int32]

    def allow(self, probe: Rows, partner: Rows) -> NDArray[np.bool_]:
        """Whether two postings (by index) can belong to a pair."""
        fits = self.size[partner] <= self.most[probe]
        fits &= self.size[probe] <= self.most[partner]
        return fits


@dataclass(frozen=True)
class Comparison:
    """What two rows must reach, over which sets."""

    shingles: Shingles
    threshold: float

    def limits(self, postings: Postings) -> Limits:
        """Whom each posting can form a pair at the threshold with, by size and position."""
        size = self.shingles.sizes[postings.row]
        rest = size - postings.position
        # Beyond the position both sets must hold t / (1 + t) of their joint size: that bounds the other's.
        most = np.floor((rest + _SLACK) * ((1.0 + self.threshold) / self.threshold)) - size
        return Limits(size.astype(np.int32), most.astype(np.int32))

    def verified(self, left: Rows, right: Rows) -> Pairs:
        """Those of the pairs that reach the threshold."""
        if len(left) > _FEW_PAIRS and kernels(0) is None:
            left, right = self._possible(left, right)
        similarity = jaccard(self.shingles, left, right)
        reached = similarity >= self.threshold
        return Pairs(left[reached], right[reached], similarity[reached])

    def _possible(self, left: Rows, right: Rows) -> tuple[Rows, Rows]:
        """The pairs that a bound on their overlap does not exclude, at a tenth of its cost in numpy."""
        sizes = self.shingles.sizes
        bound = most_common(self.shingles, self._bitmaps, left, right)
        possible = bound >= self._least_common(sizes[left] + sizes[right])
        return left[possible], right[possible]

    def _least_common(self, sizes: Rows) -> NDArray[np.float64]:
        """How many shingles two sets must share, given the sum of their sizes."""
        return np.asarray(self.threshold / (1.0 + self.threshold) * sizes - _SLACK, dtype=np.float64)

    @cached_property
    def _bitmaps(self) -> NDArray[np.uint64]:
        return parity_bitmaps(self.shingles)


def matches(postings: Postings, comparison: Comparison) -> Pairs:
    """All pairs of rows that share a group and reach the threshold; each pair once."""
    low, high = _group_starts(postings.group), np.arange(len(postings.row))
    blocks = _candidates(postings, low, high, comparison)
    return joined([comparison.verified(left, right) for left, right in blocks])


def link(postings: Postings, comparison: Comparison) -> Pairs:
    """Pairs at the threshold that connect all rows which `matches` would connect.

    Neighbours within each group are compared first, then only rows that are still apart. So a group of 10,000
    alike rows costs 10,000 comparisons, and the guarantee is that of comparing every two: two rows of one
    group end up connected, or their similarity was computed (or bounded by size and position) and is below
    the threshold.
    """
    neighbour = np.flatnonzero(np.diff(postings.group) == 0)
    neighbour = neighbour[comparison.limits(postings).allow(neighbour, neighbour + 1)]
    found = [comparison.verified(*_unique(postings.row[neighbour], postings.row[neighbour + 1]))]
    labels = components(len(comparison.shingles), found[0].left, found[0].right)
    # The two rows of a group of two are neighbours: most groups are done.
    apart, low, high = _apart(postings.take(np.flatnonzero(postings.group_sizes() > 2)), labels)
    for left, right in _candidates(apart, low, high, comparison):
        still = labels[left] != labels[right]
        pairs = comparison.verified(left[still], right[still])
        if len(pairs):
            found.append(pairs)
            labels = components(len(labels), labels[pairs.left], labels[pairs.right])[labels]
    return joined(found)


def _apart(postings: Postings, labels: Rows) -> tuple[Postings, Rows, Rows]:
    """The postings by component within their group; for each the range before it in other components."""
    component = labels[postings.row]
    order = np.lexsort((component, postings.group))
    ordered = postings.take(order)
    low = _group_starts(ordered.group)
    return ordered, low, _group_starts((low << np.int64(32)) | component[order])


def _group_starts(group: Rows) -> Rows:
    """For each place the first place of its run of equal values."""
    places = np.arange(len(group))
    begins = np.ones(len(group), dtype=np.bool_)
    begins[1:] = group[1:] != group[:-1]
    return np.maximum.accumulate(np.where(begins, places, 0))


def _candidates(
    postings: Postings, low: Rows, high: Rows, comparison: Comparison
) -> Iterator[tuple[Rows, Rows]]:
    """Distinct plausible pairs of each posting k with those at low[k]..high[k] - 1, in bounded blocks.

    All postings of one probing row stand in one block, so a pair comes once.
    """
    counts = high - low
    active = np.flatnonzero(counts)
    active = active[np.argsort(postings.row[active], kind="stable")]
    row_ends = np.flatnonzero(np.diff(postings.row[active], append=-1)) + 1
    pairs_before = np.concatenate([[0], np.cumsum(counts[active])[row_ends - 1]])
    row_bounds = np.concatenate([[0], row_ends])
    limits = comparison.limits(postings)
    for first, last in row_ranges(pairs_before, _BLOCK_PAIRS):
        chosen = active[row_bounds[first] : row_bounds[last]]
        number = counts[chosen]
        probe = np.repeat(chosen, number)
        partner = np.arange(len(probe)) + np.repeat(low[chosen] - (np.cumsum(number) - number), number)
        fits = limits.allow(probe, partner)
        yield _unique(postings.row[partner[fits]], postings.row[probe[fits]])


def _unique(left: Rows, right: Rows) -> tuple[Rows, Rows]:
    # Not numpy.unique, which hashes: sorting numbers is vectorised and takes a tenth of its time.
    keys = np.sort((np.minimum(left, right) << np.int64(32)) | np.maximum(left, right))
    first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    keys = keys[first]
    return keys >> np.int64(32), keys & np.int64(0xFFFFFFFF)


def joined(parts: list[Pairs]) -> Pairs:
    """All pairs, each with left < right, sorted by left, then right."""
    empty = np.empty(0, dtype=np.int64)
    parts = [Pairs(empty, empty, np.empty(0)), *parts]
    left = np.concatenate([part.left for part in parts])
    right = np.concatenate([part.right for part in parts])
    order = np.lexsort((right, left))
    return Pairs(left[order], right[order], np.concatenate([part.jaccard for part in parts])[order])
