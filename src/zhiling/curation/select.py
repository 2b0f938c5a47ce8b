"""Select: a training set of a given size that covers what the rows are about."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.facility_location import choose, nearest, neighbours
from zhiling.curation.strata import even_quotas, strata, strata_columns
from zhiling.pipeline.step import Context, Decide, Scope, verdicts
from zhiling.rows.conversation import all_text, user_text


class Reason(StrEnum):
    """Why a row is not kept."""

    NOT_SELECTED = "not_selected"


class Select(Decide):
    """Keeps exactly `size` rows (all if there are fewer), by default those that stand for all others.

    `coverage` maximises facility location over the encoder's vectors of the user text, lazily and greedily;
    a removed row names the chosen row that stands for it. `random` and `longest` are the controls to
    compare with. `balance` shares the size out as evenly as the rows allow. Inside `repeat`, `coverage`
    counts what earlier rows cover already.
    """

    name: ClassVar[str] = "select"
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "one encoding per row, and n² · dimension multiplications in blocks"
    limits: ClassVar[str] = (
        "Coverage keeps rare rows, defects among them: clean first. Time grows with the square of the rows, "
        "memory only with their number."
    )
    source: ClassVar[str] = "Nemhauser et al. 1978; Minoux 1978 (facility location, lazy greedy)"
    Reason: ClassVar[type[StrEnum]] = Reason

    size: int = Field(ge=0, description="How many rows to keep.")
    method: Literal["coverage", "random", "longest"] = Field("coverage", description="How rows are chosen.")
    balance: tuple[str, ...] = Field(
        (), description="Even shares over these: language, task, label, or columns such as `lang.language`."
    )
    neighbours: int = Field(64, ge=2, le=4096, description="Coverage: nearest rows that a row can stand for.")

    def reads(self) -> tuple[str, ...]:
        """The messages, and the columns to balance."""
        return ("messages", *strata_columns(self.balance))

    def uses_encoder(self) -> bool:
        """Only `coverage` looks at vectors."""
        return self.method == "coverage"

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Reason `not_selected`; score = gain, draw or length; related = the row that stands for it."""
        order = rows["id"].arg_sort()
        rows = rows[order]
        keys = strata(rows, self.balance)
        counts = keys.value_counts()
        quotas = even_quotas(
            dict(zip(counts[keys.name].to_list(), counts["count"].to_list(), strict=True)), self.size
        )
        if self.method == "coverage":
            answer = self._cover(rows, keys, quotas, context)
        else:
            answer = self._rank(rows, keys, quotas, context)
        return answer[order.arg_sort()]

    def _rank(
        self, rows: pl.DataFrame, keys: pl.Series, quotas: dict[str, int], context: Context
    ) -> pl.DataFrame:
        if self.method == "random":
            score = -context.uniform(rows["id"])
        else:
            score = all_text(rows["messages"]).str.len_chars().cast(pl.Float64).to_numpy()
        ranked = (
            pl.DataFrame({"score": score, "key": keys})
            .with_row_index("row")
            .sort("score", "row", descending=[True, False])
        )
        place = pl.int_range(pl.len()).over("key")
        quota = pl.col("key").replace_strict(quotas, default=0, return_dtype=pl.Int64)
        kept = np.zeros(rows.height, dtype=np.bool_)
        kept[ranked.filter(place < quota)["row"].to_numpy()] = True
        return verdicts(~kept, Reason.NOT_SELECTED, score=np.abs(score))

    def _cover(
        self, rows: pl.DataFrame, keys: pl.Series, quotas: dict[str, int], context: Context
    ) -> pl.DataFrame:
        vectors = context.encoder.encode(user_text(rows["messages"]).to_list())
        covered = self._covered(vectors, context)
        chosen, gains = choose(neighbours(vectors, self.neighbours), keys.to_list(), quotas, covered)
        kept = np.zeros(rows.height, dtype=np.bool_)
        kept[chosen] = True
        score = np.zeros(rows.height)
        score[chosen] = gains
        stand_ins = np.full(rows.height, -1, dtype=np.int64)
        removed = np.flatnonzero(~kept)
        if len(chosen) and len(removed):
            ranked = np.sort(chosen)
            stands, _ = nearest(vectors[removed], vectors[ranked])
            stand_ins[removed] = ranked[stands]
        related = rows["id"].gather(pl.Series(stand_ins).replace(-1, None).cast(pl.UInt32))
        return verdicts(~kept, Reason.NOT_SELECTED, score=score, related=related)

    def _covered(self, vectors: NDArray[np.float32], context: Context) -> NDArray[np.float32]:
        """How near each row is to the reference rows of a `repeat`, 0 where there are none."""
        reference = context.reference
        if reference is None or not reference.height or not len(vectors):
            return np.zeros(len(vectors), dtype=np.float32)
        _, cosines = nearest(vectors, context.encoder.encode(user_text(reference["messages"]).to_list()))
        return np.maximum(cosines, 0)
