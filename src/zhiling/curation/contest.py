"""Who stays of rows that are near-duplicates of each other, directly or over others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.text.jaccard import jaccard
from zhiling.text.near import Near
from zhiling.text.shingles import Shingles


@dataclass(frozen=True)
class Contest:
    """Near rows that compete for staying; all arrays have one entry for each of `near.rows`.

    Attributes:
        near: the rows and their sets.
        labels: equal for rows that are connected by near-duplicates.
        priority: rank, the smallest stays first.
        apart: rows with one number here never take each other.
        judged: which rows can be taken at all.
    """

    near: Near
    labels: NDArray[np.int64]
    priority: NDArray[np.int64]
    apart: NDArray[np.int64]
    judged: NDArray[np.bool_]

    def decided(self, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Who stands for each row (a row number), and how similar the two are.

        Component by component the first open row stays and takes with it the open rows near to it. All
        components advance together, so the rounds are as many as rows stay in the component where most do.
        """
        labels, sets = self.labels, self.near.sets
        representative = np.arange(len(labels))
        similarity = np.zeros(len(labels))
        shared = np.bincount(labels, minlength=len(labels))[labels] > 1
        open_rows = np.flatnonzero(shared)
        open_rows = open_rows[np.lexsort((self.priority[open_rows], labels[open_rows]))]
        while open_rows.size:
            component = labels[open_rows]
            heads = np.insert(component[1:] != component[:-1], 0, True)
            head_of = open_rows[heads][np.cumsum(heads) - 1]
            candidates = ~heads & self.judged[open_rows] & _sizes_allow(sets, open_rows, head_of, threshold)
            candidates &= self.apart[open_rows] != self.apart[head_of]
            similar = np.zeros(len(open_rows))
            similar[candidates] = jaccard(sets, head_of[candidates], open_rows[candidates])
            taken = candidates & (similar >= threshold)
            representative[open_rows[taken]] = head_of[taken]
            similarity[open_rows[taken]] = similar[taken]
            open_rows = open_rows[~heads & ~taken]
        return self.near.rows[representative], similarity


def _sizes_allow(
    sets: Shingles, left: NDArray[np.int64], right: NDArray[np.int64], threshold: float
) -> NDArray[np.bool_]:
    """Two sets can only be that similar if the smaller holds that share of the larger."""
    first, second = sets.sizes[left], sets.sizes[right]
    return np.minimum(first, second) >= threshold * np.maximum(first, second)
