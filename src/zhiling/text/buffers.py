"""Text columns as UTF-8 bytes and row offsets, cut into blocks that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 19

_arrow: Any = pa  # has no type stubs


@dataclass(frozen=True)
class Utf8:
    """The bytes of some rows: row i is `data[offsets[i]:offsets[i + 1]]`."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def utf8(text: pl.Series) -> Utf8:
    """Bytes and offsets of a string column; a null is an empty text."""
    if text.null_count():
        text = text.fill_null("")
    array = cast(Any, text).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_arrow.large_string())
    _, offsets, data = array.buffers()
    rows = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    raw = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
    return Utf8(raw[rows[0] : rows[-1]], rows - rows[0])


def offsets_of(counts: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> NDArray[np.int64]:
    """Where each run begins and the last one ends, given how long they are: shape (runs + 1,)."""
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def blocks(text: Utf8, size_bytes: int = BLOCK_BYTES) -> Iterator[Utf8]:
    """Consecutive rows in blocks of at most `size_bytes`; a longer row is a block of its own."""
    for start, stop in row_ranges(text.offsets, size_bytes):
        part = text.offsets[start : stop + 1]
        yield Utf8(text.data[part[0] : part[-1]], part - part[0])


def row_ranges(offsets: NDArray[np.int64], cells: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of rows with at most `cells` values each; a longer row is a range of its own."""
    start, rows = 0, len(offsets) - 1
    while start < rows:
        stop = int(np.searchsorted(offsets, int(offsets[start]) + cells, side="right")) - 1
        stop = min(max(stop, start + 1), rows)
        yield start, stop
        start = stop


def series(text: list[Utf8], name: str) -> pl.Series:
    """The string column whose rows are those of the parts, one after the other."""
    chunks = [
        _arrow.LargeStringArray.from_buffers(
            len(part.offsets) - 1, _arrow.py_buffer(part.offsets), _arrow.py_buffer(part.data)
        )
        for part in text
    ]
    return pl.Series(name, _arrow.chunked_array(chunks, type=_arrow.large_string()), dtype=pl.String)
