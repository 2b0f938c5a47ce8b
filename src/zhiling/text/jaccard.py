"""Exact Jaccard similarity of rows of shingles, and the exact join of all rows that are similar.

The join needs no sampling: a pair at or above the threshold shares at least one of the rarest shingles of
both rows (prefix filter), so only rows that meet there are compared, and each is compared exactly.

Source: Chaudhuri, Ganti, Kaushik (2006), prefix filter; Xiao, Wang, Lin, Yu (2008), PPJoin, length and
position filters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.text.linking import Comparison, Pairs, joined, link, matches
from zhiling.text.overlap import first_with_equal_set, jaccard
from zhiling.text.prefix_filter import prefix_postings
from zhiling.text.shingles import Shingles
from zhiling.text.union_find import components

__all__ = ["Pairs", "connected", "jaccard", "linked_pairs", "similar_pairs"]


def similar_pairs(shingles: Shingles, threshold: float) -> Pairs:
    """All pairs of rows with Jaccard similarity >= `threshold`, exactly; empty rows are similar to none.

    Rows with equal sets are one row to the join: each is reported once, linked to the first of them
    (similarity 1), and only the first is paired with others. So 10,000 copies of one text give 9,999 pairs.
    Left < right in each pair; sorted by left, then right. The threshold lies in (0, 1].

    Time grows with the number of pairs that share a rare shingle; memory is bounded beside the result.
    """
    return _joined(shingles, threshold, all_pairs=True)


def linked_pairs(shingles: Shingles, threshold: float) -> Pairs:
    """Pairs with Jaccard >= `threshold` that connect the same rows as all such pairs do.

    Far fewer where rows cluster: a pair is left out only if both rows are connected already. Sorted as in
    `similar_pairs`.
    """
    return _joined(shingles, threshold, all_pairs=False)


def connected(shingles: Shingles, threshold: float) -> NDArray[np.int64]:
    """Label of each row: the smallest row number reached over pairs with Jaccard >= `threshold`. Exact."""
    pairs = linked_pairs(shingles, threshold)
    return components(len(shingles), pairs.left, pairs.right)


@dataclass(frozen=True)
class Distinct:
    """The rows with distinct, non-empty sets and the links of the others to the first of theirs."""

    rows: NDArray[np.int64]
    repeats: Pairs


def distinct(shingles: Shingles) -> Distinct:
    """The rows that stand for all: a row whose set an earlier row has is left out, and linked to that."""
    first = first_with_equal_set(shingles)
    own = first == np.arange(len(shingles))
    repeated = np.flatnonzero(~own)
    repeats = Pairs(first[repeated], repeated, np.ones(len(repeated)))
    return Distinct(np.flatnonzero(own & (shingles.sizes > 0)), repeats)


def _joined(shingles: Shingles, threshold: float, *, all_pairs: bool) -> Pairs:
    sets = distinct(shingles)
    postings = prefix_postings(shingles, sets.rows, threshold)
    find = matches if all_pairs else link
    return joined([sets.repeats, find(postings, Comparison(shingles, threshold))])
