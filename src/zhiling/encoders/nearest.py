"""Nearest rows by cosine, in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 1024
BLOCK_CELLS = 1 << 25
"""Rows, and pairs of rows, whose cosines are in memory at once: half a GB with their order."""


def nearest(
    rows: NDArray[Any], known: NDArray[Any], count: int, *, apart: bool = False
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The nearest known rows of each row by cosine, and the cosines: shape (n, count), no order.

    Args:
        rows: (n, dimension), rows of length 1 or 0.
        known: (m, dimension), m >= count, and m > count where `apart`.
        count: how many, at least 1.
        apart: the rows are the known ones: none is its own neighbour.
    """
    near = np.empty((len(rows), count), dtype=np.int64)
    cosines = np.empty((len(rows), count), dtype=rows.dtype)
    step = min(BLOCK_ROWS, max(BLOCK_CELLS // max(len(known), 1), 1))
    for start in range(0, len(rows), step):
        block = rows[start : start + step] @ known.T
        own = slice(start, start + len(block))
        if apart:
            block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        near[own] = np.argpartition(-block, count - 1, axis=1)[:, :count]
        cosines[own] = np.take_along_axis(block, near[own], axis=1)
    return near, cosines
