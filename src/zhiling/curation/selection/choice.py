"""What every method of selection is given (shares) and gives back (a choice)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.strata import even_quotas, strata

Vectors = NDArray[np.float32] | NDArray[np.float16]
"""One a row, of length 1 or 0; of large tables in half precision."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Shares:
    """How many rows to take of which stratum.

    Attributes:
        stratum: number of each row's stratum, shape (n,).
        quotas: rows to take of each stratum; no stratum has fewer rows.
    """

    stratum: Numbers
    quotas: Numbers

    @property
    def size(self) -> int:
        """How many rows to take in all."""
        return int(self.quotas.sum())


@dataclass(frozen=True)
class Choice:
    """Chosen rows (numbers) in the order of choice, and what spoke for each: gain, distance or draw."""

    rows: Numbers
    scores: NDArray[np.float64]


def even_shares(rows: pl.DataFrame, names: Sequence[str], size: int) -> Shares:
    """Shares of `size` rows, as even over the values of `names` as the rows allow."""
    keys = strata(rows, names)
    counts = keys.value_counts(name="rows").sort(keys.name)
    known = counts[keys.name].to_list()
    quotas = even_quotas(dict(zip(known, counts["rows"].to_list(), strict=True)), size)
    number = keys.rank("dense").to_numpy().astype(np.int64) - 1  # `known` is sorted too
    return Shares(number, np.array([quotas[key] for key in known], dtype=np.int64))


def highest(scores: NDArray[np.float64], shares: Shares) -> Choice:
    """The rows with the highest scores of each stratum, ties to the smaller number."""
    order = np.lexsort((np.arange(len(scores)), -scores, shares.stratum))
    starts = np.searchsorted(shares.stratum[order], np.arange(len(shares.quotas)))
    place = np.arange(len(order)) - starts[shares.stratum[order]] if len(order) else order
    taken = order[place < shares.quotas[shares.stratum[order]]]
    return Choice(taken, scores[taken])
