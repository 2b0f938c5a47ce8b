"""Sample: a random part of the rows, of a fixed size or a fixed share."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from zhiling.curation.strata import strata, strata_columns
from zhiling.pipeline.step import Context, Decide, Scope, verdicts


class Reason(StrEnum):
    """Why a row is not kept."""

    NOT_SAMPLED = "not_sampled"


class Sample(Decide):
    """Keeps a random part of the rows: exactly `size` (all if there are fewer), or each with chance `share`.

    Every row has its own random number in [0, 1), fixed by seed, step and row id; it is the score, and the
    smallest are kept. So the order of the rows changes nothing, a larger sample holds the smaller one, and
    with `share` no row's fate depends on other rows.
    """

    name: ClassVar[str] = "sample"
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "one hash per row"
    limits: ClassVar[str] = "`share` keeps its share on average, not exactly; `size` is exact."
    Reason: ClassVar[type[StrEnum]] = Reason

    size: int | None = Field(None, ge=0, description="How many rows to keep (of each value, with `per`).")
    share: float | None = Field(None, ge=0, le=1, description="The chance of each row to be kept.")
    per: str | None = Field(
        None,
        description="Keep `size` rows per value of this: language, task, label, a column (`lang.language`).",
    )

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.size is None) == (self.share is None):
            raise ValueError(f"give either size or share, got size={self.size!r} and share={self.share!r}")
        if self.per is not None and self.size is None:
            raise ValueError("`per` needs `size`: a share is the same for every value already")
        return self

    def reads(self) -> tuple[str, ...]:
        """Nothing but the id, and the column of `per`."""
        return strata_columns((self.per,)) if self.per else ()

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Reason `not_sampled`; score = the row's random number."""
        draws = context.uniform(rows["id"])
        if self.share is not None:
            kept = draws < self.share
        else:
            kept = _smallest(draws, rows["id"], strata(rows, (self.per,) if self.per else ()), self.size or 0)
        return verdicts(~kept, Reason.NOT_SAMPLED, score=draws)


def _smallest(draws: np.ndarray, ids: pl.Series, keys: pl.Series, size: int) -> np.ndarray:
    """True for the `size` rows of each key with the smallest draws, ties by id."""
    order = pl.DataFrame({"draw": draws, "id": ids, "key": keys}).with_row_index("row").sort("draw", "id")
    kept = np.zeros(len(draws), dtype=bool)
    place = pl.int_range(pl.len()).over("key")
    kept[order.filter(place < size)["row"].to_numpy()] = True
    return kept
