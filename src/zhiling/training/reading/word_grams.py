"""The n-grams that words of windows stand in, hashed, and the runs of words that two texts share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.ngrams import normalise
from zhiling.training.reading.features import Window, Word

AROUND = ((0,), (-1, 0), (0, 1), (-2, -1, 0), (-1, 0, 1), (0, 1, 2))
"""The n-grams of words that a word stands in, as places counted from its own; in Chinese of characters."""
SPELLED = (3, 4)
"""Lengths of the letter n-grams of a word of several letters."""
LONGEST_MATCH = 5
"""Words of a run that both texts of a pair share, at most."""
NEARBY = 12
"""Words on either side that are near: with the word itself about a clause."""
TENTHS = 10
_REACH = 2
_EDGE = 0


def shared_runs(words: Sequence[Word]) -> NDArray[np.int64]:
    """How many words the longest run has that a word stands in and the other text holds too."""
    found = np.zeros(len(words), dtype=np.int64)
    sides = [[(place, _hash(word.text)) for place, word in enumerate(words) if word.segment == side]
             for side in (0, 1)]  # fmt: skip
    if not all(sides):
        return found
    for size in range(1, LONGEST_MATCH + 1):
        runs = [dict[tuple[int, ...], list[int]]() for _ in sides]
        for side, held in zip(sides, runs, strict=True):
            for start in range(len(side) - size + 1):
                piece = side[start : start + size]
                held.setdefault(tuple(key for _, key in piece), []).append(piece[0][0])
        for run in runs[0].keys() & runs[1].keys():
            for start in (*runs[0][run], *runs[1][run]):
                found[start : start + size] = size
    return found


def shared_nearby(words: Sequence[Word], runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much of the other text stands around each word, in tenths of the most that stands around any.

    What counts are words in shared runs of two and more, up to `NEARBY` words away in the same text.
    """
    found = np.zeros(len(words), dtype=np.int64)
    segments = np.array([word.segment for word in words], dtype=np.int64)
    for side in (0, 1):
        places = np.flatnonzero(segments == side)
        sums = np.concatenate([[0], np.cumsum(runs[places] > 1)])
        ends = np.arange(len(places))
        counts = sums[np.minimum(ends + NEARBY + 1, len(places))] - sums[np.maximum(ends - NEARBY, 0)]
        found[places] = TENTHS * counts // max(1, counts.max(initial=0))
    return found


def grams_of(
    windows: Sequence[Window], buckets: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each window the hash buckets of its words' n-grams, word after word, and how many each word has."""
    for window in windows:
        around = _around(window.words)
        spelled = [_spelling(word.text) for word in window.words]
        keys = [key for row, letters in zip(around, spelled, strict=True) for key in (*row, *letters)]
        counts = np.array([len(AROUND) + len(letters) for letters in spelled], dtype=np.int64)
        yield np.array(keys, dtype=np.uint64).astype(np.int64) % buckets, counts


def _around(words: Sequence[Word]) -> list[list[int]]:
    """Hashes of the n-grams of words around each word; those of two texts do not touch."""
    line: list[int] = []
    places: list[int] = []
    before: int | None = None
    for word in words:
        if word.segment != before:
            line += [_EDGE] * _REACH
            before = word.segment
        places.append(len(line))
        line.append(_hash(word.text))
    hashes = np.array([*line, *[_EDGE] * _REACH], dtype=np.uint64)
    at = np.array(places, dtype=np.int64)
    columns: list[NDArray[np.uint64]] = []
    for number, offsets in enumerate(AROUND):
        column = np.full(len(at), number + 1, dtype=np.uint64)
        for offset in offsets:
            column = _mixed(column * np.uint64(0x9E3779B97F4A7C15) + hashes[at + offset])
        columns.append(column)
    return np.stack(columns, axis=1).tolist()


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The states with their high bits folded into the low ones."""
    state = (state ^ (state >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return state ^ (state >> np.uint64(29))


@lru_cache(maxsize=2**17)
def _hash(text: str) -> int:
    """A hash of a word, case and compatibility forms folded; never that of an edge."""
    data = normalise(text).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest()) | 1


@lru_cache(maxsize=2**17)
def _spelling(text: str) -> tuple[int, ...]:
    """Hashes of the letter n-grams of a word of several letters, its ends marked."""
    if len(text) < 2:
        return ()
    marked = f"<{normalise(text)}>"
    pieces = (marked[start : start + size] for size in SPELLED for start in range(len(marked) - size + 1))
    return tuple(_hash(f"letters {piece}") for piece in pieces)
