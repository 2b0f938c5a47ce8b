"""Text columns as UTF-8 bytes and row offsets, cut into blocks that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 19


@dataclass(frozen=True)
class Utf8:
    """The bytes of some rows: `data` uint8; row i is `data[offsets[i]:offsets[i + 1]]`, offsets int64 (n + 1)."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]


def utf8(text: pl.Series) -> Utf8:
    """Bytes and offsets of a string column; a null is an empty text."""
    if text.null_count():
        text = text.fill_null("")
    array = text.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
    _, offsets, data = array.buffers()
    rows = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    raw = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
    return Utf8(raw[rows[0] : rows[-1]], rows - rows[0])


def blocks(text: Utf8, size_bytes: int = BLOCK_BYTES) -> Iterator[Utf8]:
    """Consecutive rows in blocks of about `size_bytes`; a longer row is a block of its own."""
    offsets = text.offsets
    start, rows = 0, len(offsets) - 1
    while start < rows:
        stop = int(np.searchsorted(offsets, offsets[start] + size_bytes, side="right")) - 1
        stop = min(max(stop, start + 1), rows)
        part = offsets[start : stop + 1]
        yield Utf8(text.data[part[0] : part[-1]], part - part[0])
        start = stop


def series(text: list[Utf8], name: str) -> pl.Series:
    """The string column whose rows are those of the parts, one after the other."""
    chunks = [
        pa.LargeStringArray.from_buffers(
            len(part.offsets) - 1, pa.py_buffer(part.offsets), pa.py_buffer(part.data)
        )
        for part in text
    ]
    return pl.Series(name, pa.chunked_array(chunks, type=pa.large_string()), dtype=pl.String)
