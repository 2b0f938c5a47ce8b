"""Columns out of records: texts, labels, keys and what is left over, whole columns at a time.

A value that cannot be what a field must be makes its record a Bad; all problems of a batch are gathered
and its rows are filtered once at the end, so building a column never looks at the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl

from zhiling.pipeline.step import Bad, Batch
from zhiling.sources.files import excerpt
from zhiling.sources.json_values import as_list, noun
from zhiling.sources.names import find
from zhiling.sources.record_source import LANGUAGE_TAG, Tag, source_frame
from zhiling.sources.records import Records

_TAG = re.compile(LANGUAGE_TAG)


class Columns:
    """Builds columns from the records of one batch and remembers which records are bad.

    Args:
        records: the records; no field is taken twice but on purpose.
    """

    def __init__(self, records: Records) -> None:
        self.items = records.items
        self.place = records.place
        self.lines = records.lines
        self.marks = records.marks
        self.names = list(dict.fromkeys(name for item in records.items for name in item))
        self._bad: dict[int, Bad] = {}
        self._records_bad = records.bad

    def refuse(self, index: int, cls: str, message: str) -> None:
        """Makes the record at this index a Bad; the first reason stays."""
        item = self.items[index]
        mark = self.marks[index] if self.marks else ""
        place = f"{self.place}:{self.lines[index]}{mark}"
        self._bad.setdefault(index, Bad(place, cls, message, excerpt(_shown(item))))

    def is_refused(self, index: int) -> bool:
        """Whether this record is already a Bad."""
        return index in self._bad

    def nulls(self, name: str) -> pl.Series:
        """A string column without any value."""
        return pl.Series(name, [None] * len(self.items), dtype=pl.String)

    def text(self, field: str | None, *, required: bool = False) -> pl.Series:
        """One field as strings; numbers and booleans as JSON spells them, lists and objects are refused."""
        if field is None:
            return self.nulls("text")
        values = [item.get(field) for item in self.items]
        try:
            series = pl.Series(field, values, dtype=pl.String)
        except TypeError:
            series = pl.Series(
                field, [self._spelled(i, field, v) for i, v in enumerate(values)], dtype=pl.String
            )
        if required and series.null_count():
            missing: list[int] = series.is_null().arg_true().to_list()
            for index in missing:
                message = f"field {field!r} is missing; this record has {sorted(self.items[index])!r}"
                self.refuse(index, "missing_field", message)
        return series

    def labels(self, field: str | None) -> list[list[str] | None]:
        """One field as lists of labels; a lone label is a list of one, an empty text is none."""
        if field is None:
            return [None] * len(self.items)
        return [self._label(index, field, item.get(field)) for index, item in enumerate(self.items)]

    def key(self, field: str | None) -> pl.Series:
        """A key or group as a string, whatever JSON value it is; null where it is missing or empty."""
        if field is None:
            return self.nulls("key")
        values = [item.get(field) for item in self.items]
        spelled = [v or None if isinstance(v, str | None) else orjson.dumps(v).decode() for v in values]
        return pl.Series("key", spelled, dtype=pl.String)

    def language(self, tag: Tag | None) -> tuple[pl.Series, set[str]]:
        """The language of each record, and the field that was used for it."""
        field = find("record", "language", self.names)
        if tag is None and field is not None:
            values = [item.get(field) for item in self.items]
            if all(v is None or (isinstance(v, str) and _TAG.fullmatch(v)) for v in values):
                return pl.Series("language", values, dtype=pl.String), {field}
        return pl.Series("language", [tag] * len(self.items), dtype=pl.String), set()

    def extra(self, used: set[str]) -> pl.Series:
        """The fields without a place in the record as JSON objects; null where nothing is left."""
        if used.issuperset(self.names):
            return self.nulls("extra")
        return pl.Series(
            "extra", [self._rest(index, item, used) for index, item in enumerate(self.items)], dtype=pl.String
        )

    def batch(self, columns: dict[str, pl.Series]) -> Batch:
        """The rows of all records that were not refused, and every Bad."""
        numbers = pl.Series(self.lines, dtype=pl.Int64).cast(pl.String)
        marks = pl.Series(self.marks, dtype=pl.String) if self.marks else pl.lit("")
        given = {"locator": pl.select(pl.lit(self.place + ":") + numbers + marks).to_series(), **columns}
        frame = source_frame(given, len(self.items))
        if self._bad:
            good = [index not in self._bad for index in range(len(self.items))]
            frame = frame.filter(pl.Series(good, dtype=pl.Boolean))
        return Batch(frame, self.problems())

    def problems(self) -> tuple[Bad, ...]:
        """Every Bad of the batch: lines that are no record, then records that were refused."""
        return (*self._records_bad, *(self._bad[index] for index in sorted(self._bad)))

    def _spelled(self, index: int, field: str, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float):
            return orjson.dumps(value).decode()
        message = f"field {field!r} is {noun(value)}; a text is needed"
        self.refuse(index, "wrong_type", message)
        return None

    def _label(self, index: int, field: str, value: Any) -> list[str] | None:
        if type(value) is str:
            return [value] if value else None
        if value is None:
            return None
        names = as_list(value)
        names = [value] if names is None else names
        if all(isinstance(name, str | int | float) for name in names):
            return [name if isinstance(name, str) else orjson.dumps(name).decode() for name in names]
        message = f"field {field!r} is {noun(value)}; a label or a list of labels is needed"
        self.refuse(index, "wrong_type", message)
        return None

    def _rest(self, index: int, item: dict[str, Any], used: set[str]) -> str | None:
        rest = {name: value for name, value in item.items() if name not in used and value is not None}
        try:
            return orjson.dumps(rest).decode() if rest else None
        except orjson.JSONEncodeError as error:
            self.refuse(index, "too_deep", f"{error}; at most 250 levels are kept")
            return None


def labels_target(labels: Sequence[list[str] | None]) -> pl.Series:
    """`target` of labelled rows as JSON: `{"labels": […]}`; null where a row has none."""
    known: dict[tuple[str, ...], str] = {}
    spelled: list[str | None] = []
    for each in labels:
        if each is None:
            spelled.append(None)
            continue
        name = tuple(each)
        if name not in known:
            known[name] = orjson.dumps({"labels": each}).decode()
        spelled.append(known[name])
    return pl.Series("target", spelled, dtype=pl.String)


def _shown(item: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:
        return repr(list(item)).encode()
