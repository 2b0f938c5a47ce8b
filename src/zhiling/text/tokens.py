"""Text as a stream of hashed tokens, aware of the script, computed on UTF-8 buffers without a loop over rows.

A token is a run of letters, marks and digits, or one character of a script written without spaces (Han, kana,
Hangul, Thai, …), or one emoji. Marks belong to what they follow. A run of more than 64 bytes (a key, a data
URL) is cut every 64 bytes. Give it normalised text: case and compatibility forms are not folded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import Utf8, blocks, offsets_of, utf8
from zhiling.text.characters import SINGLE, SINGLE_TAIL, SYMBOL, WORD, byte_classes

Unit = Literal["token", "character"]
"""What a window counts: script-aware tokens, or code points (spaces included)."""

MAX_TOKEN_BYTES = 64
_WORD_BYTES = 8
_LENGTH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_LOW_BYTES = np.array([(1 << 8 * kept) - 1 for kept in range(_WORD_BYTES + 1)], dtype=np.uint64)


@dataclass(frozen=True)
class Tokens:
    """Token hashes of some rows: `hashes` uint64; row i is `hashes[offsets[i]:offsets[i + 1]]`."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]


def tokenise(text: pl.Series, unit: Unit = "token") -> Iterator[Tokens]:
    """Hashed tokens of the rows, in order, in blocks of about half a megabyte of text."""
    return (tokenise_block(part, unit) for part in blocks(utf8(text)))


def tokenise_block(part: Utf8, unit: Unit = "token") -> Tokens:
    """Hashed tokens of a block of rows; `blocks` makes it small enough for the processor's cache."""
    starts, ends = spans(part, unit)
    return Tokens(_hash(part.data, starts, ends), np.searchsorted(starts, part.offsets))


def spans(part: Utf8, unit: Unit = "token") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First byte and end (exclusive) of each token of the rows, in order, as offsets into `part.data`."""
    if unit == "character":
        starts = np.flatnonzero((part.data & 0xC0) != 0x80)
        return starts, np.append(starts[1:], len(part.data))
    classes = byte_classes(part.data)
    inside = classes > SYMBOL
    begins = _begins(classes, inside, part.offsets)
    finishes = inside.copy()
    finishes[:-1] &= ~inside[1:] | begins[1:]
    return _cut(np.flatnonzero(begins), np.flatnonzero(finishes) + 1)


def token_counts(text: pl.Series) -> pl.Series:
    """Number of tokens of each row, uint32: words of English, characters of Chinese; 0 for a null.

    Example: `token_counts(pl.Series(["Hello, world", "你好世界"]))` holds 2 and 4.
    """
    counts = [np.diff(np.searchsorted(spans(part)[0], part.offsets)) for part in blocks(utf8(text))]
    joined = np.concatenate(counts) if counts else np.empty(0, dtype=np.int64)
    return pl.Series(text.name, joined.astype(np.uint32))


def token_count(column: str | pl.Expr) -> pl.Expr:
    """Expression for the number of tokens (see `token_counts`) of a string column."""
    expression = pl.col(column) if isinstance(column, str) else column
    return expression.map_batches(token_counts, return_dtype=pl.UInt32, is_elementwise=True)


def mostly_unspaced(text: pl.Series) -> NDArray[np.bool_]:
    """Whether most tokens of each text are single characters (Chinese, Thai, emoji), shape (rows,)."""
    parts = [np.empty(0, dtype=np.bool_)]
    for part in blocks(utf8(text)):
        starts, _ = spans(part)
        bounds = np.searchsorted(starts, part.offsets)
        single = offsets_of(byte_classes(part.data)[starts] == SINGLE)
        parts.append(2 * np.diff(single[bounds]) > np.diff(bounds))
    return np.concatenate(parts)


def _begins(
    classes: NDArray[np.uint8], inside: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """True where a token begins: after a separator, at a SINGLE or a word after one, at a row's start."""
    begins = inside.copy()
    before = classes[:-1]
    begins[1:] &= (before <= SYMBOL) | (classes[1:] == SINGLE)
    begins[1:] |= (classes[1:] == WORD) & (before == SINGLE_TAIL)
    starts = offsets[:-1][np.diff(offsets) > 0]
    begins[starts] = inside[starts]
    return begins


def _cut(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens with those of more than MAX_TOKEN_BYTES cut into pieces."""
    lengths = ends - starts
    long = np.flatnonzero(lengths > MAX_TOKEN_BYTES)
    if not long.size:
        return starts, ends
    cuts = (lengths[long] - 1) // MAX_TOKEN_BYTES
    number = np.arange(1, int(cuts.sum()) + 1) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    place = np.repeat(starts[long], cuts) + number * MAX_TOKEN_BYTES
    return np.insert(starts, np.repeat(long + 1, cuts), place), np.insert(ends, np.repeat(long, cuts), place)


def _hash(data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A well mixed 64-bit hash of each token's bytes, eight bytes at a time."""
    padded = np.concatenate([data, np.zeros(_WORD_BYTES, dtype=np.uint8)])
    words = np.ndarray((len(data) + 1,), dtype="<u8", buffer=padded.data, strides=(1,))
    lengths = ends - starts
    hashes = words[starts] & _LOW_BYTES[np.minimum(lengths, _WORD_BYTES)]
    hashes = mix(hashes ^ lengths.astype(np.uint64) * _LENGTH_FACTOR)
    longer = np.flatnonzero(lengths > _WORD_BYTES)
    done = _WORD_BYTES
    while longer.size:
        left = np.minimum(lengths[longer] - done, _WORD_BYTES)
        hashes[longer] = mix(hashes[longer] ^ (words[starts[longer] + done] & _LOW_BYTES[left]))
        done += _WORD_BYTES
        longer = longer[lengths[longer] > done]
    return hashes


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit values that spreads every input bit over the output, in place.

    Source: the finaliser of MurmurHash3 (Appleby, public domain), constants of variant 13 (Stafford, 2011).
    """
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values
