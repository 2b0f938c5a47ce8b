"""Parquet: rows as columns, in pieces of bounded size; values that JSON has no type for are told as text.

Times are ISO 8601, durations seconds, decimals their digits and bytes base64, as they would stand in a JSON
file. A row with NaN or an infinite number is told as bad: JSON holds neither, and a null is another value.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import polars as pl
import pyarrow.parquet as pq

from zhiling.pipeline.step import Bad
from zhiling.sources.records.records import FrameItems, Records

ROWS_AT_ONCE = 20_000
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
_parquet: Any = pq  # has no type stubs


class _NotFinite(Exception):
    """A number that JSON cannot hold."""


def parquet_records(file: Path, place: str) -> Iterator[Records]:
    """The rows of a file; `lines` are row numbers from 1. A row group that cannot be read is one Bad."""
    try:
        if not file.stat().st_size:
            return
    except OSError as error:
        message = f"{error.strerror or error}; a readable file is needed"
        yield Records(place, [], [], [Bad(place, "unreadable_file", message)])
        return
    try:
        metadata = _parquet.read_metadata(file)
    except UNREADABLE as error:  # pyarrow's own errors are these too
        message = f"{error}; a Parquet file ends with an index of its rows: copy it again or write it anew"
        yield Records(place, [], [], [Bad(place, "broken_parquet", message)])
        return
    scan, done = pl.scan_parquet(file, glob=False), 0
    for group in range(metadata.num_row_groups):
        end = done + metadata.row_group(group).num_rows
        try:
            for frame in scan.slice(done, end - done).collect_batches(chunk_size=ROWS_AT_ONCE):
                yield _records(frame, range(done + 1, done + 1 + frame.height), place)
                done += frame.height
        except UNREADABLE as error:
            message = f"rows {done + 1} to {end} cannot be read: {error}; copy the file again"
            yield Records(place, [], [], [Bad(f"{place}:{done + 1}", "broken_parquet", message)])
        done = end


def _records(frame: pl.DataFrame, numbers: range, place: str) -> Records:
    columns = [_as_json(column) for column in frame]
    if all(column is not None for column in columns):
        shown = pl.DataFrame({name: columns[at] for at, name in enumerate(frame.columns)})
        finite = _finite(shown)
        if finite.all():
            return Records(place, numbers, FrameItems(shown))
    return _row_by_row(frame, numbers, place)


def _row_by_row(frame: pl.DataFrame, numbers: range, place: str) -> Records:
    items: list[dict[str, Any]] = []
    lines: list[int] = []
    bad: list[Bad] = []
    for number, row in zip(numbers, frame.iter_rows(named=True), strict=True):
        try:
            items.append({name: _plain(value) for name, value in row.items()})
            lines.append(number)
        except _NotFinite as error:
            message = f"a number is {error}, which JSON cannot hold; write null where it is missing"
            bad.append(Bad(f"{place}:{number}", "not_finite", message))
    return Records(place, lines, items, bad)


def _as_json(column: pl.Series) -> pl.Series | None:
    """A column in JSON's types; None where that takes a look at each value."""
    dtype = column.dtype
    if _is_json(dtype):
        return column
    if dtype.is_float():
        return column.cast(pl.Float64)
    if dtype == pl.Null or isinstance(dtype, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    return None


def _is_json(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List):
        return _is_json(cast(pl.DataType, dtype.inner))
    if isinstance(dtype, pl.Struct):
        return all(_is_json(cast(pl.DataType, field.dtype)) for field in dtype.fields)
    if isinstance(dtype, pl.String | pl.Boolean):
        return True
    return dtype.is_integer() and not isinstance(dtype, pl.Int128 | pl.UInt128)


def _finite(frame: pl.DataFrame) -> pl.Series:
    numbers = [
        pl.col(name).is_finite().fill_null(True) for name, dtype in frame.schema.items() if dtype.is_float()
    ]
    return frame.select(finite=pl.all_horizontal(pl.lit(True), *numbers)).to_series()


def _plain(value: Any) -> Any:
    """A value in JSON's types."""
    match value:
        case dict():
            return {str(name): _plain(each) for name, each in cast(dict[Any, Any], value).items()}
        case list():
            return [_plain(each) for each in cast(list[Any], value)]
        case bytes():
            return base64.b64encode(value).decode()
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return value.total_seconds()
        case float() if not math.isfinite(value):
            raise _NotFinite(str(value))
        case Decimal():
            return str(value)
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case _:
            return value
