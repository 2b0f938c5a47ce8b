"""Texts that are known already: how near a new one comes to the nearest of them, and what it copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.normalise import normalise
from zhiling.text.shingles import Shingles, shingles
from zhiling.text.tokens import Tokens, tokenise


class KnownTexts:
    """An index of texts by their token pairs (of Chinese: pairs of characters).

    Memory: 12 bytes a pair. A text of one token is near only to an equal one.

    Source: Broder (1997), On the resemblance and containment of documents.
    """

    def __init__(self, texts: pl.Series) -> None:
        self._sets = _pairs(texts)
        order = np.argsort(self._sets.hashes, kind="stable")
        self._hashes = self._sets.hashes[order]
        self._owners = np.repeat(np.arange(len(texts)), self._sets.sizes)[order]

    def nearest(self, text: str) -> tuple[float, int]:
        """The Jaccard similarity (0 to 1) to the nearest known text, and its row; (0, -1) where none is near.

        1/5 for "open the red door" and "close the red gate": of five pairs "the red" stands in both.
        """
        pairs = _pairs(pl.Series([text])).hashes
        owners = self._owners_of(pairs)
        if not len(owners):
            return 0.0, -1
        common = np.bincount(owners, minlength=len(self._sets))
        similarity = common / np.maximum(self._sets.sizes + len(pairs) - common, 1)
        best = int(np.argmax(similarity))
        return float(similarity[best]), best

    def _owners_of(self, hashes: NDArray[np.uint32]) -> NDArray[np.int64]:
        low, high = (np.searchsorted(self._hashes, hashes, side=side) for side in ("left", "right"))
        sizes = high - low
        index = np.arange(int(sizes.sum())) + np.repeat(low - (np.cumsum(sizes) - sizes), sizes)
        return self._owners[index]


def _pairs(texts: pl.Series) -> Shingles:
    return shingles(normalise(texts), 2)


def longest_shared_run(text: str, source: str) -> int:
    """How many tokens in a row (words; characters of Chinese) stand in both texts, at most.

    3 for "the open door is red" and "an open door is green". Exact; time grows with the product of lengths.
    """
    first, second = (row.tolist() for row in _rows(list(tokenise(normalise(pl.Series([text, source]))))))
    return SequenceMatcher(None, first, second, autojunk=False).find_longest_match().size


def _rows(parts: Sequence[Tokens]) -> Iterator[NDArray[np.uint64]]:
    for part in parts:
        for start, stop in pairwise(part.offsets.tolist()):
            yield part.hashes[start:stop]
