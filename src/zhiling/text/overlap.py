"""Exact overlap of sets of shingles: Jaccard similarity of given pairs, and which sets are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zhiling.text.compiled import kernels
from zhiling.text.shingles import Shingles, same_size

_BITMAP_BITS = 512
_BITMAP_ROWS = 1 << 10


def jaccard(shingles: Shingles, left: ArrayLike, right: ArrayLike) -> NDArray[np.float64]:
    """Jaccard similarity |A ∩ B| / |A ∪ B| of each pair of rows, shape (pairs,), 0..1; 0 for two empty rows.

    Exact on the shingle hashes (see `Shingles`). 1/3 for {a, b} and {b, c}.
    """
    first = np.asarray(left, dtype=np.int64)
    second = np.asarray(right, dtype=np.int64)
    total = shingles.sizes[first] + shingles.sizes[second]
    fast = kernels(int(total.sum()) * shingles.hashes.itemsize)
    if fast is not None:
        common = fast.common(shingles.hashes, shingles.offsets, first, second)
        return common / np.maximum(total - common, 1)
    common = np.zeros(len(total), dtype=np.int64)
    for pairs, size in same_size(total):
        common[pairs] = _common(shingles, first[pairs], second[pairs], size)
    return common / np.maximum(total - common, 1)


def _common(
    shingles: Shingles, left: NDArray[np.int64], right: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Size of the intersection of pairs whose two sets hold `size` shingles together."""
    starts = shingles.offsets[left]
    split = shingles.offsets[left + 1] - starts
    column = np.arange(size)
    index = starts[:, None] + column
    index += (column >= split[:, None]) * (shingles.offsets[right] - split - starts)[:, None]
    # A value that stands in both sets comes twice, and both sets are distinct: equal neighbours are the
    # overlap.
    both = np.sort(shingles.hashes[index], axis=1)
    return np.count_nonzero(both[:, 1:] == both[:, :-1], axis=1)


def parity_bitmaps(shingles: Shingles) -> NDArray[np.uint64]:
    """512 bits of each row, shape (rows, 8): bit b is the parity of the row's hashes h with h mod 512 = b."""
    bits = np.empty((len(shingles), _BITMAP_BITS // 64), dtype=np.uint64)
    for start in range(0, len(shingles), _BITMAP_ROWS):
        stop = min(start + _BITMAP_ROWS, len(shingles))
        low, high = shingles.offsets[start], shingles.offsets[stop]
        row = np.repeat(np.arange(stop - start), shingles.sizes[start:stop])
        cell = row * _BITMAP_BITS + (shingles.hashes[low:high] & np.uint32(_BITMAP_BITS - 1))
        odd = np.bincount(cell, minlength=(stop - start) * _BITMAP_BITS) & 1
        bits[start:stop] = np.packbits(odd.astype(np.bool_)).view(np.uint64).reshape(stop - start, -1)
    return bits


def most_common(
    shingles: Shingles, bitmaps: NDArray[np.uint64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """An upper bound of the size of the intersection of each pair: bits that differ are shingles not shared.

    Source: Sandes, Teodoro, Melo (2020), "Bitmap filter: speeding up exact set similarity joins", equation 4.
    """
    differing = np.bitwise_count(bitmaps[left] ^ bitmaps[right]).sum(axis=1, dtype=np.int64)
    return (shingles.sizes[left] + shingles.sizes[right] - differing) // 2


def first_with_equal_set(shingles: Shingles) -> NDArray[np.int64]:
    """For each row the first row with the same non-empty set (itself, if there is none before), int64."""
    rows = np.arange(len(shingles))
    filled = np.flatnonzero(shingles.sizes > 0)
    prints = _fingerprints(shingles, filled)
    _, index, inverse = np.unique(prints, return_index=True, return_inverse=True)
    candidate = rows.copy()
    candidate[filled] = filled[index[inverse]]
    repeated = np.flatnonzero(candidate != rows)
    # Equal fingerprints are not proof: a row whose set differs stays by itself.
    same = jaccard(shingles, repeated, candidate[repeated]) == 1.0
    candidate[repeated[~same]] = repeated[~same]
    return candidate


def _fingerprints(shingles: Shingles, filled: NDArray[np.int64]) -> NDArray[np.uint64]:
    """64-bit sum of the squared hashes of each of the non-empty rows, by blocks."""
    prints = np.zeros(len(filled), dtype=np.uint64)
    starts = shingles.offsets[filled]
    step = 1 << 10
    for low in range(0, len(filled), step):
        part = starts[low : low + step]
        stop = starts[low + step] if low + step < len(filled) else shingles.offsets[-1]
        values = shingles.hashes[part[0] : stop].astype(np.uint64)
        values *= values
        prints[low : low + step] = np.add.reduceat(values, part - part[0])
    return prints
