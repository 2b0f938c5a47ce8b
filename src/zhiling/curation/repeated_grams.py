"""How much of a text repeats itself: shares of tokens, computed for many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import blocks, utf8
from zhiling.text.characters import SINGLE, byte_classes
from zhiling.text.grams import Grams, grams
from zhiling.text.tokens import Tokens, mix, spans, tokenise

Shares = NDArray[np.float64]
LEAST_COUNT = 4  # three labels of one kind make a third of a short list


def by_character(text: pl.Series) -> NDArray[np.bool_]:
    """Whether most tokens of each text are single characters (Chinese, Japanese, Thai, …), shape (rows,)."""
    parts: list[NDArray[np.bool_]] = [np.empty(0, dtype=np.bool_)]
    for part in blocks(utf8(text)):
        starts, _ = spans(part)
        bounds = np.searchsorted(starts, part.offsets)
        single = np.concatenate([[0], np.cumsum(byte_classes(part.data)[starts] == SINGLE)])
        parts.append(2 * np.diff(single[bounds]) > np.diff(bounds))
    return np.concatenate(parts)


def repeated_share(text: pl.Series, size: int) -> Shares:
    """Share of each text's tokens that lie in a window of `size` tokens which stood there before.

    Overlapping windows count a token once; the first occurrence is not counted, so a text that says one
    thing twice has 0.5, and n times 1 - 1/n. 0 for an empty text.
    """
    return _each_block(text, lambda tokens: _covered(tokens, size))


def top_share(text: pl.Series, sizes: Sequence[int]) -> Shares:
    """Share of each text's tokens that its most frequent window takes, the largest of several sizes.

    Windows that stand fewer than four times count 0. Overlapping occurrences may count a token twice; the
    share ends at 1.
    """
    return _each_block(text, lambda tokens: np.max([_top(tokens, size) for size in sizes], axis=0))


def _each_block(text: pl.Series, shares: Callable[[Tokens], Shares]) -> Shares:
    return np.concatenate([np.empty(0), *(shares(tokens) for tokens in tokenise(text))])


def _covered(tokens: Tokens, size: int) -> Shares:
    counts = np.diff(tokens.offsets)
    windows = grams(tokens, size)
    ordered, places = _sorted(windows)
    again = places[1:][ordered[1:] == ordered[:-1]]
    row = np.searchsorted(windows.offsets, again, side="right") - 1
    first = again - windows.offsets[row] + tokens.offsets[row]
    # +1 where a repeated window begins, -1 behind its end: the running sum is positive on what they cover.
    edges = np.zeros(len(tokens.hashes) + 1, dtype=np.int64)
    edges += np.bincount(first, minlength=len(edges))
    edges -= np.bincount(np.minimum(first + size, tokens.offsets[row + 1]), minlength=len(edges))
    covered = np.concatenate([[0], np.cumsum(np.cumsum(edges[:-1]) > 0)])
    return np.diff(covered[tokens.offsets]) / np.maximum(counts, 1)


def _top(tokens: Tokens, size: int) -> Shares:
    counts = np.diff(tokens.offsets)
    windows = grams(tokens, size)
    ordered, places = _sorted(windows)
    heads = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]) if ordered.size else ordered)
    lengths = np.diff(np.append(heads, ordered.size))
    many = lengths >= LEAST_COUNT
    most = np.zeros(len(counts), dtype=np.int64)
    row = np.searchsorted(windows.offsets, places[heads[many]], side="right") - 1
    np.maximum.at(most, row, lengths[many])
    return np.minimum(most * size / np.maximum(counts, 1), 1.0)


def _sorted(windows: Grams) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Windows in the order of (row, hash) keys, and where each stands; equal ones in the order of the text.

    Key and place share one integer, because sorting plain integers is ten times as fast as an argsort.
    Of the key at least 40 bits are left, enough for the windows of one block.
    """
    places = np.arange(len(windows.hashes), dtype=np.uint64)
    bits = np.uint64(max(len(places).bit_length(), 1))
    rows = np.repeat(np.arange(1, len(windows.offsets), dtype=np.uint64), np.diff(windows.offsets))
    keys = mix(windows.hashes ^ mix(rows)) >> bits << bits
    keys = np.sort(keys | places)
    low = (np.uint64(1) << bits) - np.uint64(1)
    return keys & ~low, (keys & low).astype(np.int64)
