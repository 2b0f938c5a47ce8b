"""Threshold: keeps rows whose measured value lies where it should."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from zhiling.errors import UsageError
from zhiling.pipeline.step import Bound, Context, Decide, Verdict, verdicts

Value = bool | int | float | str


class Reason(StrEnum):
    """Why a row is not kept."""

    BELOW = "below"
    ABOVE = "above"
    NOT_AMONG = "not_among"


class Threshold(Decide):
    """Rejects (flags, sends to review) rows whose value in one column is too low, too high or not wanted.

    All conditions given must hold. The value is stored as score for kept rows too, so the threshold can
    be moved, and its effect seen, without measuring again. A row that the measuring step passed by passes
    by here as well; one that it could not measure fails as `unmeasured`.
    """

    name: ClassVar[str] = "threshold"
    material: ClassVar[bool] = True  # passages are measured too; rows that the measure passed by pass here
    cost: ClassVar[str] = "nothing: one comparison per row"
    limits: ClassVar[str] = "One column at a time; a threshold is only as good as the measure behind it."
    Reason: ClassVar[type[StrEnum]] = Reason
    bounds: ClassVar[tuple[Bound, ...]] = (
        Bound("at_least", acts="below", loosest=sys.float_info.max, reason=Reason.BELOW),
        Bound("at_most", acts="above", loosest=-sys.float_info.max, reason=Reason.ABOVE),
    )

    column: str = Field(min_length=1, description="The column, such as `pair.score` (step id, dot, measure).")
    at_least: float | None = Field(None, description="The lowest value to keep.", allow_inf_nan=False)
    at_most: float | None = Field(None, description="The highest value to keep.", allow_inf_nan=False)
    equals: Value | None = Field(None, description="The one value to keep.")
    among: tuple[Value, ...] | None = Field(None, min_length=1, description="All values to keep.")
    verdict: Literal["reject", "flag", "review"] = Field(
        "reject", description="What happens to the other rows."
    )

    @model_validator(mode="after")
    def _has_condition(self) -> Self:
        given = [self.at_least, self.at_most, self.equals, self.among]
        if all(condition is None for condition in given):
            raise ValueError("give at least one of at_least, at_most, equals, among")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(
                f"at_least={self.at_least!r} is above at_most={self.at_most!r}: no row could be kept"
            )
        return self

    def reads(self) -> tuple[str, ...]:
        """The column alone."""
        return (self.column,)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Reason `below`, `above` or `not_among`, the first that holds; score = the value of numbers."""
        values = rows[self.column]
        if not values.dtype.is_numeric() and (self.at_least is not None or self.at_most is not None):
            raise UsageError(
                f"column {self.column!r} holds {values.dtype}, but at_least and at_most need numbers",
                place=f"step {context.step_id!r}",
                hint="use `equals` or `among`",
            )
        reason = pl.select(self._reason(values))["reason"]
        score = values.cast(pl.Float64) if values.dtype.is_numeric() or values.dtype == pl.Boolean else None
        return verdicts(reason.is_not_null(), reason, score=score, verdict=Verdict(self.verdict))

    def _reason(self, values: pl.Series) -> pl.Expr:
        column = pl.lit(values)
        reason = pl.lit(None, dtype=pl.String)
        for wanted in (self.among, None if self.equals is None else (self.equals,)):
            if wanted is not None:
                reason = (
                    pl.when(~_is_among(values, wanted)).then(pl.lit(str(Reason.NOT_AMONG))).otherwise(reason)
                )
        if self.at_most is not None:
            reason = pl.when(column > self.at_most).then(pl.lit(str(Reason.ABOVE))).otherwise(reason)
        if self.at_least is not None:
            reason = pl.when(column < self.at_least).then(pl.lit(str(Reason.BELOW))).otherwise(reason)
        return reason.alias("reason")


def _is_among(values: pl.Series, wanted: tuple[Value, ...]) -> pl.Series:
    """True where the value is one of `wanted`, kinds kept apart: the text "1" is not the number 1."""
    if values.dtype == pl.Boolean:
        fitting = [value for value in wanted if isinstance(value, bool)]
    elif values.dtype.is_numeric():
        fitting = [float(value) for value in wanted if not isinstance(value, bool | str)]
        values = values.cast(pl.Float64)
    else:
        fitting = [value for value in wanted if isinstance(value, str)]
        values = values.cast(pl.String)
    allowed = pl.Series(fitting, dtype=values.dtype).implode()
    return values.is_in(allowed).fill_null(value=False)
