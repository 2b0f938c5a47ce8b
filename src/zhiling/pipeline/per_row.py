"""A plain function of one row, lifted into a step.

    loud = per_row(lambda row: {"share": ...}, name="loud", writes={"share": pl.Float64()})       # Measure
    calm = per_row(lambda row: None if ... else Reason.LOUD, name="calm", reasons=Reason)          # Decide
    echo = per_row(lambda row: [{"messages": [...]}], name="echo", effect="adds")                  # Make

It is convenient, and slow beside a step that works on columns: a Python object per row and field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Literal

import polars as pl

from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Decide, Made, Make, Measure, Step, verdicts
from zhiling.rows.schema import ROW

Function = Callable[[dict[str, Any]], Any]
Effect = Literal["adds", "replaces"]


def per_row(
    fn: Function,
    *,
    name: str,
    reads: Sequence[str] = ("messages",),
    writes: Mapping[str, pl.DataType] | None = None,
    reasons: type[StrEnum] | None = None,
    effect: Effect | None = None,
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
    lifted: type[Step]
    if writes is not None:
        lifted = _measuring(fn, tuple(reads), dict(writes))
    elif reasons is not None:
        lifted = _deciding(fn, tuple(reads), reasons)
    else:
        lifted = _making(fn, tuple(reads), effect or "adds")
    lifted.name = lifted.__name__ = lifted.__qualname__ = name
    lifted.__doc__, lifted.__module__ = fn.__doc__, fn.__module__
    return lifted


def _measuring(fn: Function, read: tuple[str, ...], schema: dict[str, pl.DataType]) -> type[Measure]:
    class Lifted(Measure):
        def reads(self) -> tuple[str, ...]:
            return read

        def writes(self) -> dict[str, pl.DataType]:
            return dict(schema)

        def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
            return pl.DataFrame([fn(row) for row in rows.iter_rows(named=True)], schema=schema)

    return Lifted


def _deciding(fn: Function, read: tuple[str, ...], reasons: type[StrEnum]) -> type[Decide]:
    class Lifted(Decide):
        Reason: ClassVar[type[StrEnum]] = reasons

        def reads(self) -> tuple[str, ...]:
            return read

        def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
            found = pl.Series([fn(row) for row in rows.iter_rows(named=True)], dtype=pl.String)
            return verdicts(found.is_not_null(), found)

    return Lifted


def _making(fn: Function, read: tuple[str, ...], how: Effect) -> type[Make]:
    class Lifted(Make):
        effect: ClassVar[Effect] = how

        def reads(self) -> tuple[str, ...]:
            return read

        def make(self, rows: pl.DataFrame, context: Context) -> Made:
            written = [
                {**new, "parents": [row["id"]], "sample": sample}
                for row in rows.iter_rows(named=True)
                for sample, new in enumerate(fn(row))
            ]
            names = dict.fromkeys(name for new in written for name in new)
            schema = {name: ROW[name] for name in names if name in ROW}
            return Made(
                pl.DataFrame(written, schema={"parents": pl.List(pl.String), "sample": pl.Int64(), **schema})
            )

    return Lifted


__all__ = ["Context", "per_row"]
