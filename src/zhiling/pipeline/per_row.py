"""A plain function of one row, lifted into a step.

    loud = per_row(lambda row: {"share": ...}, name="loud", writes={"share": pl.Float64()})       # Measure
    calm = per_row(lambda row: None if ... else Reason.LOUD, name="calm", reasons=Reason)          # Decide
    echo = per_row(lambda row: [{"messages": [...]}], name="echo", effect="adds")                  # Make

It is convenient, and slow beside a step that works on columns: a Python object per row and field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

import polars as pl

from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Decide, Made, Make, Measure, Step, Verdict, verdicts
from zhiling.rows.schema import ROW

Row = dict[str, Any]


def per_row(
    fn: Callable[[Row], Any],
    *,
    name: str,
    reads: Sequence[str] = ("messages",),
    writes: Mapping[str, pl.DataType] | None = None,
    reasons: type[StrEnum] | None = None,
    effect: Literal["adds", "replaces"] | None = None,
) -> type[Step]:
    """A step class from a pure function of one row (a dict of `id` and the columns of `reads`).

    Exactly one of the three says what the function gives back: with `writes` a mapping of these columns
    (Measure), with `reasons` a reason to reject or None to keep (Decide), with `effect` a list of new
    rows as dicts of record columns (Make; `parents` is the row itself).

    Raises:
        UsageError: none or several of the three were given.
    """
    if sum(value is not None for value in (writes, reasons, effect)) != 1:
        raise UsageError("per_row needs exactly one of writes (Measure), reasons (Decide), effect (Make)")
    shared = {
        "name": name,
        "reads": lambda self: tuple(reads),
        "__doc__": fn.__doc__,
        "__module__": fn.__module__,
    }
    if writes is not None:
        body = {
            "writes": lambda self: dict(writes),
            "measure": lambda self, rows, context: _measure(fn, rows, writes),
        }
        return type(Measure)(name, (Measure,), shared | body)
    if reasons is not None:
        return type(Decide)(
            name,
            (Decide,),
            shared | {"Reason": reasons, "decide": lambda self, rows, context: _decide(fn, rows)},
        )
    return type(Make)(
        name, (Make,), shared | {"effect": effect, "make": lambda self, rows, context: _make(fn, rows)}
    )


def _measure(fn: Callable[[Row], Any], rows: pl.DataFrame, writes: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame([fn(row) for row in rows.iter_rows(named=True)], schema=dict(writes))


def _decide(fn: Callable[[Row], Any], rows: pl.DataFrame) -> pl.DataFrame:
    reasons = pl.Series([fn(row) for row in rows.iter_rows(named=True)], dtype=pl.String)
    return verdicts(reasons.is_not_null(), reasons, verdict=Verdict.REJECT)


def _make(fn: Callable[[Row], Any], rows: pl.DataFrame) -> Made:
    written = [
        {**new, "parents": [row["id"]], "sample": sample}
        for row in rows.iter_rows(named=True)
        for sample, new in enumerate(fn(row))
    ]
    names = dict.fromkeys(name for new in written for name in new)
    schema = {"parents": pl.List(pl.String), "sample": pl.Int64, **{n: ROW[n] for n in names if n in ROW}}
    return Made(pl.DataFrame(written, schema=schema))


__all__ = ["Context", "per_row"]
