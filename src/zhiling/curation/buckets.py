"""What the standing index stores of a row: its set of shingles, and the keys of the buckets that it is in."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.rows.conversation import all_text
from zhiling.text.buffers import offsets_of
from zhiling.text.minhash import band_keys
from zhiling.text.normalise import normal_form
from zhiling.text.shingles import Shingles, bags, distinct_sets

LEAST_JACCARD = 0.5
"""Pairs of a smaller similarity are not looked for."""
LONG_JACCARD = 0.8
"""The bands of all rows are made for it."""
SHORT_SHINGLES = 128
"""A row of so many shingles or fewer has bands for LEAST_JACCARD too: one edited word costs it up to five."""
SHINGLE_TOKENS = 5

Keys = NDArray[np.int64]


def row_sets(messages: pl.Series) -> Shingles:
    """The set of each row: word 5-grams, character 5-grams of Chinese, of all but the system's messages."""
    return distinct_sets(bags(normal_form(all_text(messages)), SHINGLE_TOKENS))


def bucket_keys(sets: Shingles, media: Keys, least: float = LEAST_JACCARD) -> tuple[Keys, NDArray[np.int64]]:
    """All keys by which rows of a similarity of `least` are found, and the place of the row of each.

    One for each band, more of them for a short row, and one for the whole set. Rows with other media never
    share one.
    """
    filled = np.flatnonzero(sets.sizes)
    whole = [int.from_bytes(blake2b(blob, digest_size=8).digest()) for blob in packed(sets.take(filled))]
    blocks = [
        (filled, _salted(band_keys(sets, filled, LONG_JACCARD), 1)),
        (filled, np.array(whole, dtype=np.uint64)[None, :]),
    ]
    if least < LONG_JACCARD:
        short = filled[sets.sizes[filled] <= SHORT_SHINGLES]
        blocks.append((short, _salted(band_keys(sets, short, LEAST_JACCARD), 1_000)))
    keys = [(block ^ media[rows].view(np.uint64)).view(np.int64).ravel() for rows, block in blocks]
    return np.concatenate(keys), np.concatenate([np.tile(rows, len(block)) for rows, block in blocks])


def _salted(bands: NDArray[np.uint64], first: int) -> NDArray[np.uint64]:
    """The keys with a number of their own for each band, from `first` up: equal bands alone may meet."""
    numbers = np.arange(first, first + len(bands), dtype=np.uint64)
    return bands ^ (numbers[:, None] * np.uint64(0x9E3779B97F4A7C15))


def together(first: Shingles, second: Shingles) -> Shingles:
    """The rows of both, those of the second behind those of the first."""
    offsets = np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]])
    return Shingles(np.concatenate([first.hashes, second.hashes]), offsets)


def packed(sets: Shingles) -> list[bytes]:
    """Each set as bytes: its hashes, 32-bit little-endian."""
    cuts = sets.offsets.tolist()
    hashes = sets.hashes.astype("<u4")
    return [hashes[start:stop].tobytes() for start, stop in pairwise(cuts)]


def unpacked(blobs: Iterable[bytes]) -> Shingles:
    """The sets that `packed` made bytes of."""
    listed = list(blobs)
    sizes = np.array([len(blob) // 4 for blob in listed], dtype=np.int64)
    return Shingles(np.frombuffer(b"".join(listed), dtype="<u4").astype(np.uint32), offsets_of(sizes))
