"""Hashed character n-grams of many texts at once, as sparse rows.

Works for every script without a vocabulary. All windows of all texts are hashed by one pass of
numpy per n-gram length, so no Python loop sees a character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Uint64 = NDArray[np.uint64]

CHARACTERS_PER_CHUNK = 1_000_000
"""Windows of about this many characters are held at once: some 100 MB."""
FIRST_DENSE_SCRIPT = 0x2E80
"""From this code point on (CJK, kana, Hangul) one character carries a meaning; a Latin letter does not."""
_HASH_BITS = np.uint64(40)
_HASH_MASK = np.uint64((1 << 40) - 1)
_SIGN_SHIFT = np.uint64(39)


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix in CSR form: row i has the entries `indptr[i]:indptr[i + 1]`."""

    indptr: NDArray[np.int64]
    """Shape (n + 1,): where each row's entries begin."""
    indices: NDArray[np.int64]
    """Shape (entries,): columns, ascending within a row, each once."""
    values: NDArray[np.float32]
    """Shape (entries,): the entries."""
    dimension: int
    """Number of columns."""

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    def row_numbers(self) -> NDArray[np.int64]:
        """The row of each entry, shape (entries,)."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.indptr))

    def dense(self) -> NDArray[np.float32]:
        """The same matrix in full, float32, shape (n, dimension)."""
        matrix = np.zeros((len(self), self.dimension), dtype=np.float32)
        matrix[self.row_numbers(), self.indices] = self.values
        return matrix


def normalise(text: str) -> str:
    """The text in NFKC and lower case, white space collapsed to single spaces, none at the ends.

    Unlike the form in which duplicates are compared, it keeps punctuation: a question mark tells something.
    Anchor: "Ｐay  NOW！" becomes "pay now!".
    """
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def hash_ngrams(texts: Sequence[str], shortest: int, longest: int, buckets: int) -> SparseRows:
    """Rows of unit length with a signed, sublinear count per bucket: shape (n, buckets).

    Each distinct n-gram that occurs c times adds ±(1 + ln c) to its bucket. The sign is one bit of the
    hash, so that collisions cancel on average instead of adding up. Single characters count only in
    scripts where they carry meaning (Chinese, Japanese, Korean).

    Source: Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning, eq. 1.
    """
    parts = [_chunk_rows(chunk, shortest, longest, buckets) for chunk in _chunks(texts)]
    starts = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.indptr) for part in parts)])
    return SparseRows(
        indptr=np.cumsum(starts),
        indices=np.concatenate([np.zeros(0, np.int64), *(part.indices for part in parts)]),
        values=np.concatenate([np.zeros(0, np.float32), *(part.values for part in parts)]),
        dimension=buckets,
    )


def ngrams_by_bucket(text: str, shortest: int, longest: int, buckets: int) -> dict[int, list[str]]:
    """The n-grams of one text behind each bucket of `hash_ngrams`: what a bucket's entry is made of.

    A space at either end stands for the text's edge. Different n-grams may share a bucket.
    """
    normal = normalise(text)
    padded = f" {normal} " if normal else ""
    _, hashes = _windows([normal], shortest, longest)
    columns = ((hashes & _HASH_MASK) % np.uint64(buckets)).astype(np.int64).tolist()
    windows = (  # in the order of `_windows`
        padded[start : start + size]
        for size in range(shortest, longest + 1)
        for start in range(len(padded) - size + 1)
        if size > 1 or ord(padded[start]) >= FIRST_DENSE_SCRIPT
    )
    found: dict[int, list[str]] = {}
    for column, window in zip(columns, windows, strict=True):
        if window not in found.setdefault(column, []):
            found[column].append(window)
    return found


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Normalised texts, in lists of about `CHARACTERS_PER_CHUNK` characters."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        chunk.append(normalise(text))
        characters += len(chunk[-1])
        if characters >= CHARACTERS_PER_CHUNK:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _chunk_rows(texts: list[str], shortest: int, longest: int, buckets: int) -> SparseRows:
    """The sparse rows of one chunk of normalised texts."""
    rows, hashes, counts = _count(*_windows(texts, shortest, longest))
    signs = 1 - 2 * (hashes >> _SIGN_SHIFT).astype(np.int64)
    entries = signs * (1 + np.log(counts))
    keys, place = np.unique(
        rows * buckets + (hashes % np.uint64(buckets)).astype(np.int64), return_inverse=True
    )
    sums = np.bincount(place, weights=entries, minlength=len(keys))
    # Two n-grams of opposite sign in one bucket cancel: an entry of 0 is no entry.
    keys, sums = keys[sums != 0], sums[sums != 0]
    rows, indices = keys // buckets, keys % buckets
    lengths = np.sqrt(np.bincount(rows, weights=sums**2, minlength=len(texts)))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(texts)))]).astype(np.int64)
    return SparseRows(indptr, indices, (sums / lengths[rows]).astype(np.float32), buckets)


def _count(rows: NDArray[np.int64], hashes: Uint64) -> tuple[NDArray[np.int64], Uint64, NDArray[np.int64]]:
    """Distinct (row, hash) pairs and how often each occurs."""
    keys, counts = np.unique(
        (rows.astype(np.uint64) << _HASH_BITS) | (hashes & _HASH_MASK), return_counts=True
    )
    return (keys >> _HASH_BITS).astype(np.int64), keys & _HASH_MASK, counts


def _windows(texts: list[str], shortest: int, longest: int) -> tuple[NDArray[np.int64], Uint64]:
    """Row number and hash of every window of every text; a space stands at both ends of a text."""
    padded = [f" {text} " if text else "" for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    rows = np.repeat(np.arange(len(texts), dtype=np.int64), [len(text) for text in padded])
    all_rows, all_hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    state = np.zeros(len(codes), np.uint64)
    for size in range(1, longest + 1):
        count = len(codes) - size + 1
        if count <= 0:
            break
        state = state[:count] * np.uint64(0x100000001B3) + codes[size - 1 :].astype(np.uint64) + np.uint64(1)
        inside = rows[:count] == rows[size - 1 :]
        if size == 1:
            inside &= codes >= FIRST_DENSE_SCRIPT
        if size >= shortest:
            all_rows.append(rows[:count][inside])
            all_hashes.append(_mix(state[inside] + np.uint64(size)))
    return np.concatenate(all_rows), np.concatenate(all_hashes)


def _mix(state: Uint64) -> Uint64:
    """The states with every bit depending on every other one.

    Source: Steele et al. 2014, Fast Splittable Pseudorandom Number Generators, the SplitMix64 finaliser.
    """
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
