"""Which of several rows that say the same stays: the settings `keep` and `column` of the duplicate steps."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from zhiling.pipeline.step import Context, Decide

_EXTRA = "extra."


class KeepsOne(Decide):
    """A step that keeps one row of each cluster, the same one whatever the order of the rows."""

    keep: Literal["longest", "first", "best", "newest"] = Field(
        default="longest",
        description="which row of a cluster stays. longest: the one that says most; best, newest: the "
        "largest value of `column`; first: its smallest value, or without `column` the smallest id. Ties: "
        "more text (of equally long rows: the larger `column`), then the smaller id",
    )
    column: str | None = Field(
        default=None,
        min_length=1,
        description="what best, newest and first compare, and longest for ties: a measured column such as "
        "`reward.score`, or `extra.NAME`, a field of the source. Numbers by size, text (dates, releases) by "
        "code point; a row without a value comes last",
    )

    @model_validator(mode="after")
    def _column_fits(self) -> Self:
        if self.keep in ("best", "newest") and self.column is None:
            raise ValueError(f"keep: {self.keep} needs `column`: the score, date or release to compare")
        return self

    def column_read(self) -> tuple[str, ...]:
        """The column of the record or of a measure that `column` lies in, if there is one."""
        if self.column is None:
            return ()
        return ("extra",) if self.column.startswith(_EXTRA) else (self.column,)

    def beside_reference(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The rows, and behind them those accepted before, if there are any: what the step reads of both."""
        if context.reference is None or not context.reference.height:
            return rows
        columns = ["id", *dict.fromkeys(self.reads())]
        return pl.concat([rows.select(columns), context.reference.select(columns)])

    def priority(
        self, rows: pl.DataFrame, size: NDArray[np.int64], later: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Rank of each row, 0 for the one to keep before all others, shape (rows,).

        Args:
            rows: `id` and `column_read()`.
            size: how much each row says.
            later: rows that never stay before the others (those judged, beside rows accepted before).
        """
        keys = self._criteria(rows)
        column = {key.name: self.keep != "first" for key in keys}
        text = {"size": True} if self.column or self.keep == "longest" else {}
        criteria = text | column if self.keep == "longest" else column | text
        by = {"later": False} | criteria | {"id": False, "row": False}
        frame = pl.DataFrame({"later": later, "size": size, "id": rows["id"]}).with_columns(keys)
        ranked = frame.with_row_index("row").sort(*by, descending=list(by.values()), nulls_last=True)
        order = ranked["row"].to_numpy()
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return rank

    def _criteria(self, rows: pl.DataFrame) -> list[pl.Series]:
        """What the column says, as numbers (`value`) and as text (`text`, where it is no number)."""
        if self.column is None:
            return []
        if self.column.startswith(_EXTRA):
            field = self.column.removeprefix(_EXTRA)
            found = rows["extra"].fill_null("{}").str.json_path_match(f'$["{field}"]')
        else:
            found = rows[self.column]
        if not found.dtype.is_numeric():
            found = found.cast(pl.String)
        value = found.cast(pl.Float64, strict=False).fill_nan(None).alias("value")
        if found.dtype != pl.String:
            return [value]
        return [value, found.set(value.is_not_null(), None).alias("text")]


def taken(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    closeness: NDArray[np.floating[Any]],
    rank: NDArray[np.int64],
    judged: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Who stands for each row, and how near the two are: the first by rank takes its open neighbours.

    Args:
        left: one row of each near pair; every pair is given in both directions.
        right: the other one.
        closeness: how near the two are.
        rank: of each row, see `priority`.
        judged: which rows can be taken at all.
    """
    representative = np.arange(len(rank))
    similarity = np.zeros(len(rank))
    order = np.lexsort((rank[right], rank[left]))
    left, right, closeness = left[order], right[order], closeness[order]
    for head, row, value in zip(left.tolist(), right.tolist(), closeness.tolist(), strict=True):
        open_row = representative[row] == row and rank[head] < rank[row] and judged[row]
        if open_row and representative[head] == head:
            representative[row] = head
            similarity[row] = value
    return representative, similarity
