"""What every method of selection is given (shares) and gives back (a choice)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.mixing import REST, allotted
from zhiling.curation.strata import even_quotas, strata
from zhiling.errors import UsageError

Vectors = NDArray[np.floating[Any]]
"""One a row, of length 1 or 0: float32, of large tables float16."""
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


def shared_out(
    rows: pl.DataFrame, names: Sequence[str], size: int, weights: Mapping[str, float] | None = None
) -> Shares:
    """Shares of `size` rows over the values of `names`: by weight, without any as even as the rows allow.

    Args:
        rows: with the columns of `names`.
        names: what the strata are made of.
        size: rows to take in all; what a stratum cannot give goes to the others.
        weights: by value (`zh`; of several names `zh/qa`); `*`: of each value that is not named.

    Raises:
        UsageError: a weight without rows, or rows without a weight.
    """
    keys = strata(rows, names)
    counts = keys.value_counts(name="rows").sort(keys.name)
    known, there = counts[keys.name].to_list(), counts["rows"].to_list()
    room = dict(zip(known, there, strict=True))
    quotas = allotted(_rates(weights, room), room, size) if weights else even_quotas(room, size)
    number = keys.rank("dense").to_numpy().astype(np.int64) - 1  # `known` is sorted too
    return Shares(number, np.array([quotas[key] for key in known], dtype=np.int64))


def _rates(weights: Mapping[str, float], room: Mapping[str, int]) -> dict[str, float]:
    """The weight of each stratum, by the names that people give them."""
    name_of = {key: key.replace("\0", "/") for key in room}
    there = sorted(name_of.values())
    unknown = sorted(set(weights) - set(there) - {REST})
    missing = [name for name in there if name not in weights] if REST not in weights else []
    if unknown and room:
        raise UsageError(
            f"a weight for {unknown[0]!r}, which has no row here; rows have {there}",
            hint="leave it out of `shares`, or look at the steps before",
        )
    if missing:
        raise UsageError(
            f"no weight for {missing[0]!r}, which has rows; weights are for {sorted(weights)}",
            hint=f'name it in `shares` (0 leaves it out), or give all others one weight: "{REST}": 1',
        )
    return {key: weights.get(name, weights.get(REST, 0.0)) for key, name in name_of.items()}


def highest(scores: NDArray[np.float64], shares: Shares) -> Choice:
    """The rows with the highest scores of each stratum, ties to the smaller number."""
    order = np.lexsort((np.arange(len(scores)), -scores, shares.stratum))
    starts = np.searchsorted(shares.stratum[order], np.arange(len(shares.quotas)))
    place = np.arange(len(order)) - starts[shares.stratum[order]] if len(order) else order
    taken = order[place < shares.quotas[shares.stratum[order]]]
    return Choice(taken, scores[taken])
