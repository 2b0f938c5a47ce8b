"""Which texts repeat a long stretch of a reference text: the n-gram index behind decontamination.

A stretch is 13 tokens where a reference text is made of words, as in GPT-3's decontamination, and 20 where it
is made of characters (Chinese, Japanese, Thai, …): 13 English words are about 20 Chinese characters of the
same meaning, and 13 characters are two clauses that chance repeats. A text that is shorter than that matches
only an equal text.

Source: Brown et al. (2020), "Language models are few-shot learners", appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import utf8
from zhiling.text.grams import Grams, text_grams
from zhiling.text.tokens import mostly_unspaced, spans

WORDS = 13
CHARACTERS = 20

_SEPARATORS = r"[\s$+<=>|~]+"


@dataclass(frozen=True)
class Hits:
    """For each text what it repeats; all arrays have the shape (texts,)."""

    match: NDArray[np.int64]
    """Row of the reference text with which it shares most n-grams (the first of several), or -1."""
    share: NDArray[np.float64]
    """Share of the text's own n-grams that stand in that reference text, 0..1."""
    covered: NDArray[np.float64]
    """Share of that reference text's n-grams that stand in the text, 0..1."""
    start: NDArray[np.int64]
    """Where the first shared n-gram begins and ends: byte offsets in the (normalised) text, or -1."""
    stop: NDArray[np.int64]


@dataclass(frozen=True)
class _Table:
    """The n-grams of one size: sorted hashes, the first text that has each, how many each text owns."""

    size: int
    hashes: NDArray[np.uint64]
    owner: NDArray[np.int64]
    owned: NDArray[np.int64]
    seen: NDArray[np.bool_]

    def find(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the hashes that are known, and the reference text of each."""
        # A look-up in the sorted hashes costs 100 ns, in the filter 4: it lets pass what is known and 2 % of
        # the rest.
        places = np.flatnonzero(self.seen[_slots(hashes, self.seen)])
        rank = np.searchsorted(self.hashes, hashes[places])
        rank[rank == len(self.hashes)] = 0
        known = self.hashes[rank] == hashes[places]
        return places[known], self.owner[rank[known]]


class NgramIndex:
    """The n-grams of reference texts. Memory: 16 bytes per distinct n-gram and a filter of 64 to 128 more."""

    def __init__(self, texts: pl.Series, tables: list[_Table]) -> None:
        """An index over `texts` from its tables; `build` makes it."""
        self._texts = texts
        self._tables = tables

    @classmethod
    def build(cls, texts: pl.Series, size: int = WORDS, characters: int = CHARACTERS) -> NgramIndex:
        """An index of normalised reference texts: n-grams of `size` words, or of `characters` as above."""
        texts = texts.fill_null("")
        sizes = np.where(mostly_unspaced(texts), characters, size)
        tables = [_table(texts, np.flatnonzero(sizes == each), int(each)) for each in np.unique(sizes)]
        return cls(texts, [table for table in tables if len(table.hashes)])

    def __len__(self) -> int:
        """Number of reference texts."""
        return len(self._texts)

    def hits(self, texts: pl.Series) -> Hits:
        """What each of the normalised texts repeats of the reference texts, confirmed on the text itself."""
        texts = texts.fill_null("")
        hits = _none(len(texts))
        for table in self._tables:
            found = self._confirmed(texts, _search(texts, table), table.size)
            better = found.covered > hits.covered
            for name in Hits.__dataclass_fields__:
                np.copyto(getattr(hits, name), getattr(found, name), where=better)
        return hits

    def _confirmed(self, texts: pl.Series, found: Hits, size: int) -> Hits:
        """The hits whose first n-gram truly stands in the reference; `start`, `stop` become byte offsets."""
        rows = np.flatnonzero(found.match >= 0)
        chosen = texts.gather(rows)
        part = utf8(chosen)
        starts, ends = spans(part)
        first = np.searchsorted(starts, part.offsets)
        window = first[:-1] + found.start[rows]
        last = np.minimum(window + size, first[1:]) - 1
        begin, end = starts[window] - part.offsets[:-1], ends[last] - part.offsets[:-1]
        true = _contained(self._texts, found.match[rows], chosen, np.stack([begin, end]))
        found.start[rows], found.stop[rows] = begin, end
        _clear(found, rows[~true])
        return found


def _none(rows: int) -> Hits:
    def filled(value: int) -> NDArray[np.int64]:
        return np.full(rows, value, dtype=np.int64)

    return Hits(filled(-1), np.zeros(rows), np.zeros(rows), filled(-1), filled(-1))


def _clear(hits: Hits, rows: NDArray[np.int64]) -> None:
    for field in (hits.match, hits.start, hits.stop):
        field[rows] = -1
    hits.share[rows] = hits.covered[rows] = 0.0


def _contained(
    references: pl.Series, match: NDArray[np.int64], texts: pl.Series, stretch: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the stretch (bytes begin and end, shape (2, texts)) of each text stands in what it matched."""
    stretches = [
        # A word of more than 64 bytes is cut without regard to characters.
        text.encode()[begin:end].decode(errors="ignore")
        for text, begin, end in zip(texts, *stretch.tolist(), strict=True)
    ]
    matched, place = np.unique(match, return_inverse=True)
    whole = _letters(references.gather(matched)).to_list()
    parts = _letters(pl.Series(stretches, dtype=pl.String)).to_list()
    return np.array([part in whole[row] for part, row in zip(parts, place, strict=True)], dtype=np.bool_)


def _letters(texts: pl.Series) -> pl.Series:
    """The texts without what separates tokens."""
    return texts.str.replace_all(_SEPARATORS, "")


def _table(texts: pl.Series, rows: NDArray[np.int64], size: int) -> _Table:
    hashes: list[NDArray[np.uint64]] = [np.empty(0, dtype=np.uint64)]
    counts: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    for windows in text_grams(texts.gather(rows), size):
        hashes.append(windows.hashes)
        counts.append(np.diff(windows.offsets))
    owner = np.repeat(rows, np.concatenate(counts))
    distinct, first = np.unique(np.concatenate(hashes), return_index=True)
    bits = min(max(len(distinct).bit_length() + 6, 10), 27)
    seen = np.zeros(1 << bits, dtype=np.bool_)
    seen[_slots(distinct, seen)] = True
    owned = np.bincount(owner[first], minlength=len(texts))
    return _Table(size, distinct, owner[first], owned, seen)


def _slots(hashes: NDArray[np.uint64], seen: NDArray[np.bool_]) -> NDArray[np.uint64]:
    return hashes >> np.uint64(65 - len(seen).bit_length())


def _search(texts: pl.Series, table: _Table) -> Hits:
    """The best match of each text; `start` is the number of the first shared n-gram's first token."""
    hits = _none(len(texts))
    done = 0
    for windows in text_grams(texts, table.size):
        _search_block(windows, table, done, hits)
        done += len(windows.offsets) - 1
    return hits


def _search_block(windows: Grams, table: _Table, first_row: int, hits: Hits) -> None:
    places, owners = table.find(windows.hashes)
    if not places.size:
        return
    rows = np.searchsorted(windows.offsets, places, side="right") - 1
    best, of_row = _most_shared(rows, owners, windows.hashes[places])
    shared = owners == best[of_row]
    hit_rows, first, count = np.unique(rows[shared], return_index=True, return_counts=True)
    target = first_row + hit_rows
    hits.match[target] = best
    hits.share[target] = count / np.diff(windows.offsets)[hit_rows]
    hits.covered[target] = _distinct_counts(rows[shared], windows.hashes[places[shared]]) / table.owned[best]
    hits.start[target] = places[shared][first] - windows.offsets[hit_rows]


def _most_shared(
    rows: NDArray[np.int64], owners: NDArray[np.int64], hashes: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row with a hit the reference that shares most n-grams; and for each hit its place in that."""
    order = np.lexsort((hashes, owners, rows))
    row, owner, value = rows[order], owners[order], hashes[order]
    fresh = np.ones(len(row), dtype=np.bool_)
    fresh[1:] = (row[1:] != row[:-1]) | (owner[1:] != owner[:-1]) | (value[1:] != value[:-1])
    pairs, count = np.unique(np.stack([row[fresh], owner[fresh]]), axis=1, return_counts=True)
    by_count = np.lexsort((pairs[1], -count, pairs[0]))
    hit_rows, first = np.unique(pairs[0][by_count], return_index=True)
    return pairs[1][by_count][first], np.searchsorted(hit_rows, rows)


def _distinct_counts(rows: NDArray[np.int64], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    order = np.lexsort((hashes, rows))
    row, value = rows[order], hashes[order]
    fresh = np.ones(len(row), dtype=np.bool_)
    fresh[1:] = (row[1:] != row[:-1]) | (value[1:] != value[:-1])
    return np.unique(row[fresh], return_counts=True)[1]
