"""Rows with one text, taken as one: ten thousand copies are as far from the others as one of them.

A sparse graph of neighbours would be blind among copies: each would stand for its 64 nearest only, all of
them copies, and the greedy choice would have to take hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.selection.choice import Choice, Numbers, Shares
from zhiling.curation.selection.texts import Texts


@dataclass(frozen=True)
class Distinct:
    """Texts of a stratum, each with the row that speaks for it.

    Attributes:
        rows: the speaking rows (numbers), rising; shape (texts,).
        owner: for each row the place of its speaker in `rows`, shape (n,).
        counts: how many rows each speaks for, itself included.
        shares: of the speaking rows.
    """

    rows: Numbers
    owner: Numbers
    counts: Numbers
    shares: Shares

    def spread(self, choice: Choice, wanted: Shares) -> Choice:
        """The choice among speakers as one among all rows, filled up with copies to the wanted shares.

        Copies come last, with the score 0, in the order of their numbers.
        """
        chosen = self.rows[choice.rows]
        taken = np.bincount(wanted.stratum[chosen], minlength=len(wanted.quotas))
        is_copy = np.ones(len(self.owner), dtype=np.bool_)
        is_copy[self.rows] = False
        copies = np.flatnonzero(is_copy)
        if not len(copies) or not (wanted.quotas > taken).any():
            return Choice(chosen, choice.scores)
        stratum = wanted.stratum[copies]
        order = np.argsort(stratum, kind="stable")
        starts = np.searchsorted(stratum[order], np.arange(len(wanted.quotas)))
        place = np.arange(len(order)) - starts[stratum[order]]
        further = copies[order[place < (wanted.quotas - taken)[stratum[order]]]]
        return Choice(
            np.concatenate([chosen, further]), np.concatenate([choice.scores, np.zeros(len(further))])
        )


def distinct(texts: Texts, shares: Shares, quality: NDArray[np.float64] | None = None) -> Distinct:
    """Distinct texts of each stratum; the row of the highest quality speaks, ties to the smaller number."""
    worth = np.zeros(len(texts)) if quality is None else quality
    frame = texts.marks().with_columns(
        pl.Series("stratum", shares.stratum), pl.Series("worth", worth), pl.int_range(pl.len()).alias("row")
    )
    ranked = frame.sort("worth", "row", descending=[True, False])
    speakers = pl.col("row").first().over("first_mark", "second_mark", "stratum").alias("speaker")
    speaker = ranked.select("row", speakers).sort("row")["speaker"].to_numpy()
    rows, owner, counts = np.unique(speaker, return_inverse=True, return_counts=True)
    stratum = shares.stratum[rows]
    there = np.bincount(stratum, minlength=len(shares.quotas)).astype(np.int64)
    inner = Shares(stratum, np.minimum(shares.quotas, there))
    return Distinct(rows, owner.astype(np.int64), counts, inner)
