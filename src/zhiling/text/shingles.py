"""The set of distinct shingles (token n-grams) of each row, as sorted hashes in one flat array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import Utf8, offsets_of, row_ranges
from zhiling.text.characters import class_of_code_point
from zhiling.text.compiled import kernels
from zhiling.text.grams import text_grams
from zhiling.text.normalise import normal_form, token_form
from zhiling.text.tokens import Unit

_SORT_CELLS = 1 << 17
_BLOCK_CELLS = 1 << 20
# So small that the shingles are still in the processor's cache when they are signed.
_TEXT_BYTES = 1 << 19


@dataclass(frozen=True)
class Shingles:
    """Sets of 32-bit shingle hashes, one per row.

    Two different shingles share a hash with probability 2**-32: for a pair of rows of 100 shingles the
    Jaccard similarity is wrong (too high) with probability 2e-6. Half the memory of 64-bit hashes.
    """

    hashes: NDArray[np.uint32]
    """All sets one after the other, each strictly ascending."""
    offsets: NDArray[np.int64]
    """Shape (rows + 1,): row i is `hashes[offsets[i]:offsets[i + 1]]`."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of distinct shingles of each row."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1

    def take(self, rows: NDArray[np.int64]) -> Shingles:
        """The sets of the given rows, in the given order."""
        sizes = self.sizes[rows]
        offsets = offsets_of(sizes)
        index = np.arange(int(offsets[-1])) + np.repeat(self.offsets[rows] - offsets[:-1], sizes)
        return Shingles(self.hashes[index], offsets)

    def parts(self, rows: NDArray[np.int64]) -> Iterator[tuple[slice, Shingles]]:
        """The sets of the given rows in blocks of a million shingles, each with its place among `rows`."""
        bounds = offsets_of(self.sizes[rows])
        for start, stop in row_ranges(bounds, _BLOCK_CELLS):
            yield slice(start, stop), self.take(rows[start:stop])


def shingles(text: pl.Series, size: int = 5, unit: Unit = "token") -> Shingles:
    """Distinct shingles of `size` units of each row of normalised text (see `normalise`).

    A row of fewer units has one shingle, the whole; an empty row (or one of punctuation only) has none. Words
    of English and characters of Chinese are both one token, so the default is word 5-grams here and character
    5-grams there.

    Memory: 4 bytes per token beyond the text, and twice that while the parts are joined.
    """
    return distinct_sets(bags(text, size, unit))


def bags(text: pl.Series | Iterable[Utf8], size: int = 5, unit: Unit = "token") -> Shingles:
    """All shingles of each row in the order of the text, repeats included; `distinct_sets` makes them sets.

    Enough for MinHash, which repeats do not change, at less than the cost of the sets. `text` is what
    `normalise` or `normal_form` gives.
    """
    parts: list[NDArray[np.uint32]] = []
    counts: list[NDArray[np.int64]] = []
    for windows in text_grams(text, size, unit):
        parts.append((windows.hashes >> np.uint64(32)).astype(np.uint32))
        counts.append(np.diff(windows.offsets))
    if not parts:
        return Shingles(np.empty(0, dtype=np.uint32), np.zeros(1, dtype=np.int64))
    hashes = np.concatenate(parts)
    parts.clear()
    return Shingles(hashes, offsets_of(np.concatenate(counts)))


def text_bags(text: pl.Series, size: int = 5) -> Iterator[Shingles]:
    """The bags of texts as they are, block by block: what `bags` gives for their normal form, for less."""
    fast = kernels(int(text.estimated_size()))
    if fast is None:
        yield bags(normal_form(text), size)
        return
    for part in token_form(text, fast):
        for start, stop in row_ranges(part.offsets, _TEXT_BYTES):
            rows = part.offsets[start : stop + 1]
            hashes = np.empty(fast.most_windows(rows), dtype=np.uint32)
            ends = fast.windows(part.data, rows, class_of_code_point(), size, True, hashes)
            yield Shingles(hashes[: ends[-1]], ends)


def distinct_sets(bags: Shingles) -> Shingles:
    """The sorted sets of rows of shingles with repeats, made in the memory of the bags."""
    hashes, offsets = bags.hashes, bags.offsets
    for rows, size in same_size(np.diff(offsets)):
        index = offsets[rows][:, None] + np.arange(size)
        hashes[index] = np.sort(hashes[index], axis=1)
    written = 0
    new_offsets = np.zeros_like(offsets)
    kept_counts = new_offsets[1:]
    for start, stop in row_ranges(offsets, _BLOCK_CELLS):
        low, high = offsets[start], offsets[stop]
        part = hashes[low:high]
        kept = np.ones(len(part), dtype=np.bool_)
        np.not_equal(part[1:], part[:-1], out=kept[1:])
        local = offsets[start : stop + 1] - low
        filled = np.flatnonzero(np.diff(local) > 0)
        kept[local[filled]] = True
        if filled.size:
            kept_counts[start + filled] = np.add.reduceat(kept, local[filled], dtype=np.int64)
        chosen = part if kept.all() else part[kept]
        hashes[written : written + len(chosen)] = chosen
        written += len(chosen)
    return Shingles(hashes[:written], np.cumsum(new_offsets))


def same_size(sizes: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Rows of equal size, in groups of at most 131,072 cells, with that size; rows of size 0 are left out.

    A rectangle sorts forty times faster than the same cells as one array keyed by row.
    """
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    cuts = np.flatnonzero(np.diff(ordered)) + 1
    for group in np.split(order, cuts):
        size = int(sizes[group[0]]) if group.size else 0
        step = max(_SORT_CELLS // size, 1) if size else 1
        for start in range(0, len(group) if size else 0, step):
            yield group[start : start + step], size
