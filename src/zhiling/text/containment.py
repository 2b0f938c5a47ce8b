"""How much of a reference text stands in a text: finds edited copies, in which no long run is left.

Containment is the share of a reference's distinct n-grams (short ones: 4 words, or 6 characters of scripts
without spaces) that a text holds. N-grams of more than 32 references are phrases of a template and count on
neither side, so a reference that is little more than a template is never found.

Source: Broder (1997), On the resemblance and containment of documents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import offsets_of
from zhiling.text.grams import Grams, text_grams
from zhiling.text.tokens import mostly_unspaced

WORDS = 4
CHARACTERS = 6
LEAST_SHARED = 6
"""N-grams that must be shared: of short questions two in five are the phrase that asks, not the question."""

_MOST_OWNERS = 32

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Contained:
    """For each text the reference of which it holds most, or -1, and how much; shape (texts,)."""

    match: Numbers
    covered: NDArray[np.float64]


@dataclass(frozen=True)
class _Postings:
    """N-grams of one size: sorted hashes, which references have each, how many each reference owns."""

    size: int
    hashes: NDArray[np.uint64]
    offsets: Numbers
    owners: NDArray[np.int32]
    owned: Numbers
    seen: NDArray[np.bool_]


class ContainmentIndex:
    """The short n-grams of reference texts. Memory: 12 bytes for each, 8 more for each distinct one."""

    def __init__(self, postings: list[_Postings]) -> None:
        """An index over its postings; `build` makes it."""
        self._postings = postings

    @classmethod
    def build(cls, texts: pl.Series, words: int = WORDS, characters: int = CHARACTERS) -> ContainmentIndex:
        """An index of normalised reference texts."""
        texts = texts.fill_null("")
        sizes = np.where(mostly_unspaced(texts), characters, words)
        built = [_posted(texts, np.flatnonzero(sizes == size), int(size)) for size in np.unique(sizes)]
        return cls([each for each in built if len(each.hashes)])

    def find(self, texts: pl.Series, least: float) -> Contained:
        """The reference of which each normalised text holds most, if that is at least the share `least`."""
        best = Contained(np.full(len(texts), -1, dtype=np.int64), np.zeros(len(texts)))
        texts = texts.fill_null("")
        for postings in self._postings:
            done = 0
            for windows in text_grams(texts, postings.size):
                _search(windows, postings, done, least, best)
                done += len(windows.offsets) - 1
        return best


def _posted(texts: pl.Series, rows: Numbers, size: int) -> _Postings:
    hashes: list[NDArray[np.uint64]] = [np.empty(0, dtype=np.uint64)]
    counts: list[Numbers] = [np.empty(0, dtype=np.int64)]
    for windows in text_grams(texts.gather(rows), size):
        hashes.append(windows.hashes)
        counts.append(np.diff(windows.offsets))
    hash_of = np.concatenate(hashes)
    owner = np.repeat(rows, np.concatenate(counts)).astype(np.int32)
    order = np.lexsort((owner, hash_of))
    hash_of, owner = hash_of[order], owner[order]
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = (hash_of[1:] != hash_of[:-1]) | (owner[1:] != owner[:-1])
    distinct, number = np.unique(hash_of[fresh], return_counts=True)
    rare = number <= _MOST_OWNERS
    owner = owner[fresh][np.repeat(rare, number)]
    owned = np.bincount(owner, minlength=len(texts))
    distinct, number = distinct[rare], number[rare]
    bits = min(max(len(distinct).bit_length() + 5, 10), 27)
    seen = np.zeros(1 << bits, dtype=np.bool_)
    seen[_slots(distinct, seen)] = True
    return _Postings(size, distinct, offsets_of(number), owner, owned, seen)


def _slots(hashes: NDArray[np.uint64], seen: NDArray[np.bool_]) -> NDArray[np.uint64]:
    return hashes >> np.uint64(65 - len(seen).bit_length())


def _search(windows: Grams, postings: _Postings, first: int, least: float, best: Contained) -> None:
    """Improves `best` by what the rows of these windows hold; the first of them is row `first`."""
    rows, grams = _known(windows, postings)
    if not rows.size:
        return
    counts = np.diff(postings.offsets)[grams]
    row = np.repeat(rows, counts)
    index = np.arange(len(row)) + np.repeat(postings.offsets[grams] - (np.cumsum(counts) - counts), counts)
    owner = postings.owners[index].astype(np.int64)
    pairs, shared = np.unique((row << np.int64(32)) | owner, return_counts=True)
    row, owner = pairs >> np.int64(32), pairs & np.int64(0xFFFFFFFF)
    owned = postings.owned[owner]
    covered = shared / owned
    fits = (covered >= least) & (shared >= LEAST_SHARED)
    row, owner, covered = row[fits], owner[fits], covered[fits]
    order = np.lexsort((owner, -covered, row))
    row, owner, covered = row[order], owner[order], covered[order]
    top = np.ones(len(row), dtype=np.bool_)
    top[1:] = row[1:] != row[:-1]
    target = first + row[top]
    better = covered[top] > best.covered[target]
    best.match[target[better]] = owner[top][better]
    best.covered[target[better]] = covered[top][better]


def _known(windows: Grams, postings: _Postings) -> tuple[Numbers, Numbers]:
    """Row and n-gram of each distinct n-gram of a row that a reference has, sorted."""
    places = np.flatnonzero(postings.seen[_slots(windows.hashes, postings.seen)])
    rank = np.searchsorted(postings.hashes, windows.hashes[places])
    rank[rank == len(postings.hashes)] = 0
    known = postings.hashes[rank] == windows.hashes[places]
    rows = np.searchsorted(windows.offsets, places[known], side="right") - 1
    pairs = np.unique((rows << np.int64(32)) | rank[known])
    rows = pairs >> np.int64(32)
    return rows, pairs & np.int64(0xFFFFFFFF)
