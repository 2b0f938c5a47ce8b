"""Records brought into shape before they are read: chosen, nested fields lifted, texts taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import excerpt
from zhiling.sources.labelled.example import Unreadable, spelled
from zhiling.sources.labelled.lookup import Table
from zhiling.sources.records.json_values import as_list, as_object
from zhiling.sources.records.records import Records

Item = dict[str, Any]
TOO_DEEP = "too_deep", "the record is nested too deeply to be read; at most 250 levels are kept"
"""Class and message of a record that Python itself cannot walk through."""


@dataclass(frozen=True)
class Shape:
    """What is done to each record.

    Attributes:
        where: field → values; records that hold another one are none of the source's.
        paths: dotted names (`userInput.text`) that become fields of that name, and leave their object.
        extract: field → pattern whose named groups become fields. A text that the pattern fits whole gives
            its place to them; a text in which it is only found stays too.
        table: completes records by fields of another file.
    """

    where: Mapping[str, frozenset[str]]
    paths: Sequence[str]
    extract: Mapping[str, re.Pattern[str]]
    table: Table | None = None

    def of(self, records: Records) -> Records:
        """The records of the source in this shape."""
        if not (self.where or self.paths or self.extract or self.table):
            return records
        items: list[Item] = []
        lines: list[int] = []
        bad = list(records.bad)
        for line, item in zip(records.lines, records.items, strict=True):
            try:
                if not self._is_wanted(item):
                    continue
                whole = item if self.table is None else self.table.completed(item)
                items.append(self._extracted(_lifted(whole, self.paths)))
                lines.append(line)
            except (Unreadable, RecursionError) as error:
                bad.append(refused(error, records.place, line, item))
        return replace(records, items=items, lines=lines, bad=bad)

    def _is_wanted(self, item: Item) -> bool:
        return all(str(_at(item, name)) in values for name, values in self.where.items())

    def _extracted(self, item: Item) -> Item:
        for field, pattern in self.extract.items():
            text = spelled(item.get(field), field) or ""
            whole = pattern.fullmatch(text)
            found = whole or pattern.search(text)
            if found is None:
                message = f"{field} is {text!r:.80}; it does not fit {pattern.pattern!r}"
                raise Unreadable("pattern_mismatch", message)
            rest = {name: value for name, value in item.items() if whole is None or name != field}
            item = {**rest, **{name: part for name, part in found.groupdict().items() if part is not None}}
        return item


def refused(error: Unreadable | RecursionError, place: str, line: int, item: Item) -> Bad:
    """The Bad of a record that has no row yet."""
    cls, message = (error.cls, error.message) if isinstance(error, Unreadable) else TOO_DEEP
    try:
        shown = orjson.dumps(item)
    except orjson.JSONEncodeError:  # orjson writes fewer levels than it reads
        shown = ", ".join(item).encode()
    return Bad(f"{place}:{line}", cls, message, excerpt(shown))


def _at(item: Item, path: str) -> Any:
    """The value at a dotted path; a number leads into a list, counted from 0."""
    value: Any = item
    if path in item:
        return item[path]
    for part in path.split("."):
        listed = as_list(value)
        if listed is not None:
            value = listed[int(part)] if part.isdigit() and int(part) < len(listed) else None
        else:
            value = (as_object(value) or {}).get(part)
    return value


def _lifted(item: Item, paths: Sequence[str]) -> Item:
    for path in paths:
        if path not in item and (value := _at(item, path)) is not None:
            item = {**(_without(item, path.split(".")) or {}), path: value}
    return item


def _without(value: Any, path: Sequence[str]) -> Any:
    """The value without what stands at a path; objects and lists that hold nothing then are null."""
    if not path:
        return None
    head, *rest = path
    listed = as_list(value)
    if listed is not None:
        # a place in a list stays, so that the places behind it do too
        left = [_without(each, rest) if str(n) == head else each for n, each in enumerate(listed)]
        return left if any(each is not None for each in left) else None
    inner = as_object(value) or {}
    kept = {name: _without(each, rest) if name == head else each for name, each in inner.items()}
    return {name: each for name, each in kept.items() if name != head or each is not None} or None
