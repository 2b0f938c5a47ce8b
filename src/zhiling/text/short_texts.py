"""Short reference texts inside slightly longer ones: a question behind a greeting.

A text too short for an n-gram of the usual size is looked for as a whole, token for token, but only in texts
of which it makes up a given share: so a general question does not hit every long text that holds it.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.containment import Contained
from zhiling.text.grams import text_grams
from zhiling.text.tokens import mostly_unspaced, token_counts

Numbers = NDArray[np.int64]


class ShortTexts:
    """Reference texts of `least` to `most` tokens, by their length."""

    def __init__(self, texts: pl.Series, least: tuple[int, int], most: tuple[int, int]) -> None:
        """An index of normalised texts.

        Args:
            texts: the references; those of other lengths are left out.
            least: tokens that a reference has at least: words, and characters of scripts without spaces.
            most: tokens that it has at most, likewise.
        """
        texts = texts.fill_null("")
        counts = token_counts(texts).to_numpy()
        unspaced = mostly_unspaced(texts)
        inside = (counts >= np.where(unspaced, least[1], least[0])) & (
            counts <= np.where(unspaced, most[1], most[0])
        )
        self._tables: dict[int, tuple[NDArray[np.uint64], Numbers]] = {}
        for size in np.unique(counts[inside]).tolist():
            rows = np.flatnonzero(inside & (counts == size))
            windows = [each.hashes for each in text_grams(texts.gather(rows), size)]
            hashes, first = np.unique(np.concatenate(windows), return_index=True)
            self._tables[size] = hashes, rows[first]

    def find(self, texts: pl.Series, counts: Numbers, share: float) -> Contained:
        """The longest reference in each normalised text, where it is at least `share` of the text's tokens.

        Args:
            texts: what is searched.
            counts: their numbers of tokens.
            share: 0 (exclusive) to 1; `covered` is that share of the text.
        """
        found = Contained(np.full(len(texts), -1, dtype=np.int64), np.zeros(len(texts)))
        for size, (hashes, owners) in self._tables.items():
            rows = np.flatnonzero((counts >= size) & (counts * share <= size))
            done = 0
            for windows in text_grams(texts.gather(rows), size) if rows.size else ():
                rank = np.searchsorted(hashes, windows.hashes)
                rank[rank == len(hashes)] = 0
                places = np.flatnonzero(hashes[rank] == windows.hashes)
                hit = np.searchsorted(windows.offsets, places, side="right") - 1
                hit, first = np.unique(hit, return_index=True)
                target = rows[done + hit]
                found.match[target] = owners[rank[places[first]]]
                found.covered[target] = size / counts[target]
                done += len(windows.offsets) - 1
        return found
