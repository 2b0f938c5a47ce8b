"""Connected components of rows that are linked in pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def components(n: int, left: ArrayLike, right: ArrayLike) -> NDArray[np.int64]:
    """Label of each of `n` rows: the smallest row number of its component.

    Shape (n,), int64. The order of the pairs changes nothing. `components(4, [1], [3])` is `[0, 1, 2, 1]`.

    Source: hooking to the smaller label and pointer jumping (Shiloach and Vishkin, 1982), O(pairs · log n) on
    arrays.
    """
    labels = np.arange(n, dtype=np.int64)
    first = np.asarray(left, dtype=np.int64)
    second = np.asarray(right, dtype=np.int64)
    while first.size:
        first, second = labels[first], labels[second]
        open_pairs = first != second
        first, second = first[open_pairs], second[open_pairs]
        low, high = np.minimum(first, second), np.maximum(first, second)
        # Roots only are hooked, so the smallest label of a component wins whichever pair comes first.
        np.minimum.at(labels, high, low)
        labels = _flatten(labels)
    return labels


def _flatten(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    while True:
        above = labels[labels]
        if np.array_equal(above, labels):
            return labels
        labels = above
