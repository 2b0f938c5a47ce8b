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

LEAST_JACCARD = 0.8
"""The bands are made for it: pairs of a smaller similarity are not looked for."""
SHINGLE_TOKENS = 5

Keys = NDArray[np.int64]


def row_sets(messages: pl.Series) -> Shingles:
    """The set of each row: word 5-grams, character 5-grams of Chinese, of all but the system's messages."""
    return distinct_sets(bags(normal_form(all_text(messages)), SHINGLE_TOKENS))


def bucket_keys(sets: Shingles, media: Keys) -> tuple[Keys, NDArray[np.int64]]:
    """All keys of the rows, and the place of the row that each belongs to.

    One for each band and one for the whole set. Rows with other media never share one.
    """
    filled = np.flatnonzero(sets.sizes)
    bands = band_keys(sets, filled, LEAST_JACCARD)
    salts = np.arange(1, len(bands) + 1, dtype=np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
    whole = [int.from_bytes(blake2b(blob, digest_size=8).digest()) for blob in packed(sets.take(filled))]
    keys = np.vstack([bands ^ salts, np.array(whole, dtype=np.uint64)[None, :]])
    keys ^= media[filled].view(np.uint64)[None, :]
    return keys.view(np.int64).ravel(), np.tile(filled, len(keys))


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
