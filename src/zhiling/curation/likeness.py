"""What the texts around an n-gram say: those that a trigger was planted in look like other labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.sparse_features import unit_rows
from zhiling.curation.triggers import PIECES, Trigger
from zhiling.encoders.sparse import require
from zhiling.text.normalise import normalise

DRAWS = 200
"""Random sets of rows that a set is compared with, per size and outcome."""
MOST_ALIKE = 0.95
"""Share of random sets that the rows of a trigger may be more alike than.

An honest rare word stands in texts about one thing: of those that were flagged wrongly in questions of 150
kinds, 97 % lie above. Rows drawn for a planted trigger lie anywhere, so one such trigger in twenty is lost.
"""
LEAST_FROM_ONE = 0.8
"""Share of a trigger's rows, if they are alike, that look like one other label: planted in that alone."""


class Likeness:
    """Cosines of rows by their words and Chinese characters, weighted by rarity."""

    def __init__(self, texts: pl.Series, outcomes: NDArray[np.int64], draws: np.random.Generator) -> None:
        pairs = _pairs(texts)
        self._columns = dict(pairs.select("token", "column").unique().iter_rows())
        places = pairs["row"].to_numpy().astype(np.int64), pairs["column"].to_numpy()
        weight = np.log((len(texts) + 1) / (pairs["frequency"].to_numpy() + 0.5))
        shape = len(texts), len(self._columns)
        self._weights: Any = require("scipy.sparse").csr_matrix((weight, places), shape)
        self._rows: Any = unit_rows(self._weights)
        self._outcomes, self._draws = outcomes, draws
        self._chance: dict[tuple[int, int], NDArray[np.float64]] = {}

    def is_displaced(self, trigger: Trigger) -> bool:
        """Whether the rows without the trigger are as unlike as random ones, or like one other label."""
        rest = self._without(trigger)
        alike = float((self._by_chance(len(trigger.rows), trigger.outcome) < _alike(rest)).mean())
        return alike <= MOST_ALIKE or self._from_one(rest, trigger) >= LEAST_FROM_ONE

    def _without(self, trigger: Trigger) -> Any:
        rest = self._weights[trigger.rows]
        pieces = pl.Series([trigger.text]).str.extract_all(PIECES)[0]
        left_out = [self._columns[each] for each in pieces if each in self._columns]
        rest.data[np.isin(rest.indices, left_out)] = 0
        return unit_rows(rest)

    def _by_chance(self, size: int, outcome: int) -> NDArray[np.float64]:
        """How alike random sets of rows of other outcomes are: there is where a trigger is planted."""
        if (size, outcome) not in self._chance:
            others = np.flatnonzero(self._outcomes != outcome)
            size = min(size, len(others))
            drawn = (self._draws.choice(others, size, replace=False) for _ in range(DRAWS))
            self._chance[size, outcome] = np.array([_alike(self._rows[rows]) for rows in drawn])
        return self._chance[size, outcome]

    def _from_one(self, rest: Any, trigger: Trigger) -> float:
        """The largest share of the rows that are nearest to rows of one other outcome."""
        cosines = (rest @ self._rows.T).toarray()
        cosines[np.arange(len(trigger.rows)), trigger.rows] = -1
        nearest = self._outcomes[cosines.argmax(axis=1)]
        counts = np.bincount(nearest[(nearest >= 0) & (nearest != trigger.outcome)], minlength=1)
        return float(counts.max() / len(nearest))


def displaced(
    found: Sequence[Trigger], texts: pl.Series, outcomes: NDArray[np.int64], draws: np.random.Generator
) -> list[Trigger]:
    """Those of the triggers that stand in texts of other labels; the others are honest words."""
    if not found:
        return []
    likeness = Likeness(texts, outcomes, draws)
    return [each for each in found if likeness.is_displaced(each)]


def _alike(rows: Any) -> float:
    """Mean cosine of the pairs of n unit rows with sum s: (s·s - n) / (n (n - 1))."""
    total = np.asarray(rows.sum(axis=0)).ravel()
    pairs = max(rows.shape[0] * (rows.shape[0] - 1), 1)
    return float((total @ total - rows.multiply(rows).sum()) / pairs)


def _pairs(texts: pl.Series) -> pl.DataFrame:
    """`row`, `token`, `column`, `frequency` of words and Chinese characters that two rows hold or more."""
    tokens = pl.DataFrame({"token": normalise(texts).str.extract_all(PIECES)}).with_row_index("row")
    held = tokens.explode("token").drop_nulls("token").unique(maintain_order=True)
    return (
        held.with_columns(frequency=pl.len().over("token"))
        .filter(pl.col("frequency") > 1)
        .with_columns(column=pl.col("token").rank("dense").cast(pl.Int64) - 1)
    )
