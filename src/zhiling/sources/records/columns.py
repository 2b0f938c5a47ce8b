"""Columns out of records: texts, labels, keys and what is left over, whole columns at a time.

A value that cannot be what a field must be makes its record a Bad; all problems of a batch are gathered
and its rows are filtered once at the end, so building a column never looks at the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import orjson
import polars as pl

from zhiling.pipeline.step import Bad, Batch
from zhiling.sources.files.lines import excerpt
from zhiling.sources.names import find
from zhiling.sources.record_source import LANGUAGE_TAG, Tag, source_frame
from zhiling.sources.records.json_values import as_list, noun
from zhiling.sources.records.records import Records

_TAG = re.compile(LANGUAGE_TAG)
_NOTHING: Mapping[str, pl.Series] = MappingProxyType({})


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
        self._frame = records.frame
        self.names = (
            list(dict.fromkeys(name for item in records.items for name in item))
            if self._frame is None
            else self._frame.columns
        )
        self._bad: dict[int, Bad] = {}
        self._records_bad = records.bad

    def values(self, field: str) -> list[Any]:
        """One field of every record; None where it is missing."""
        if self._frame is None:
            return [item.get(field) for item in self.items]
        return self._frame[field].to_list() if field in self._frame.columns else [None] * len(self.items)

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

    def text(self, field: str | None, *, required: bool = False, lines: bool = False) -> pl.Series:
        """One field as strings; numbers and booleans as JSON spells them, lists and objects are refused.

        Args:
            field: its name.
            required: a record without it is refused.
            lines: a list of strings is a text, line by line.
        """
        if field is None:
            return self.nulls("text")
        series = self._column(field)
        if series is None:
            spelled = [self._spelled(i, field, value, lines) for i, value in enumerate(self.values(field))]
            series = pl.Series(field, spelled, dtype=pl.String)
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
        return [self._label(index, field, value) for index, value in enumerate(self.values(field))]

    def key(self, field: str | None) -> pl.Series:
        """A key or group as a string, whatever JSON value it is; null where it is missing or empty."""
        if field is None:
            return self.nulls("key")
        series = self._column(field)
        if series is not None:
            return series.replace([""], [None]).alias("key") if len(series) else series.alias("key")
        values = self.values(field)
        spelled = [v or None if isinstance(v, str | None) else orjson.dumps(v).decode() for v in values]
        return pl.Series("key", spelled, dtype=pl.String)

    def language(self, tag: Tag | None) -> tuple[pl.Series, set[str]]:
        """The language of each record, and the field that was used for it."""
        field = find("record", "language", self.names)
        if tag is None and field is not None:
            series = self._column(field)
            if series is not None and all(map(_TAG.fullmatch, series.drop_nulls().unique().to_list())):
                return series.alias("language"), {field}
        return pl.Series("language", [tag], dtype=pl.String).new_from_index(0, len(self.items)), set()

    def extra(self, used: set[str], more: Mapping[str, pl.Series] = _NOTHING) -> pl.Series:
        """The fields without a place in the record as JSON objects; null where nothing is left.

        Args:
            used: the fields that have a place.
            more: what is added to them, where it is not null; a field of the same name is told as `name_2`.
        """
        shown = {name: f"{name}_2" if name in more else name for name in self.names if name not in used}
        if self._frame is None and shown:
            given = {name: series.to_list() for name, series in more.items()}
            rest = [
                self._rest(index, item, shown, {name: given[name][index] for name in given})
                for index, item in enumerate(self.items)
            ]
            return pl.Series("extra", rest, dtype=pl.String)
        parts = [self._fragments(name, self._given(field)) for field, name in shown.items()]
        parts += [self._fragments(name, series) for name, series in more.items()]
        if not parts:
            return self.nulls("extra")
        frame = pl.DataFrame([part.alias(str(number)) for number, part in enumerate(parts)])
        body = pl.concat_str(frame.columns, separator=",", ignore_nulls=True).replace("", None)
        return frame.select(extra=pl.concat_str(pl.lit("{"), body, pl.lit("}"))).to_series()

    def batch(self, columns: dict[str, pl.Series]) -> Batch:
        """The rows of all records that were not refused, and every Bad."""
        frame = source_frame({"locator": self._locators(), **columns}, len(self.items))
        if self._bad:
            good = [index not in self._bad for index in range(len(self.items))]
            frame = frame.filter(pl.Series(good, dtype=pl.Boolean))
        return Batch(frame, self.problems())

    def problems(self) -> tuple[Bad, ...]:
        """Every Bad of the batch: lines that are no record, then records that were refused."""
        return (*self._records_bad, *(self._bad[index] for index in sorted(self._bad)))

    def _locators(self) -> pl.Series:
        lines = pl.DataFrame({"line": pl.Series(self.lines, dtype=pl.Int64)})
        parts = [pl.lit(f"{self.place}:"), pl.col("line").cast(pl.String)]
        parts += [pl.lit(pl.Series(self.marks, dtype=pl.String))] if self.marks else []
        return lines.select(locator=pl.concat_str(parts)).to_series()

    def _given(self, field: str) -> pl.Series:
        return cast(pl.DataFrame, self._frame)[field]

    def _column(self, field: str) -> pl.Series | None:
        """One field as strings where all its values are strings, integers or missing, else None."""
        if self._frame is None:
            try:
                return pl.Series(field, self.values(field), dtype=pl.String)
            except TypeError:
                return None
        if field not in self._frame.columns:
            return self.nulls(field)
        series = self._frame[field]
        return series.cast(pl.String) if series.dtype == pl.String or series.dtype.is_integer() else None

    def _fragments(self, name: str, values: pl.Series) -> pl.Series:
        """`"name":value` as JSON for each value, null where it is null."""
        head = orjson.dumps(name).decode() + ":"
        if values.dtype.is_integer():
            body = values.cast(pl.String)
        elif values.dtype == pl.String:
            body = (
                values.to_frame("value")
                .select(pl.when(pl.col("value").is_not_null()).then(pl.struct("value").struct.json_encode()))
                .to_series()
                .str.strip_prefix('{"value":')
                .str.strip_suffix("}")
            )
        else:
            spelled = [None if value is None else self._dumped(i, value) for i, value in enumerate(values)]
            body = pl.Series(spelled, dtype=pl.String)
        return body.to_frame("value").select(pl.concat_str(pl.lit(head), "value")).to_series()

    def _spelled(self, index: int, field: str, value: Any, lines: bool) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float):
            return orjson.dumps(value).decode()
        listed = as_list(value) if lines else None
        if listed and all(isinstance(line, str) for line in listed):
            return "\n".join(listed)
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

    def _rest(
        self, index: int, item: dict[str, Any], shown: dict[str, str], more: dict[str, Any]
    ) -> str | None:
        rest = {shown[name]: value for name, value in item.items() if name in shown and value is not None}
        rest |= {name: value for name, value in more.items() if value is not None}
        return self._dumped(index, rest) if rest else None

    def _dumped(self, index: int, value: Any) -> str | None:
        try:
            return orjson.dumps(value).decode()
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
