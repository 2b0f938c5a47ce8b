"""JSON objects out of lines, exactly: what a fast parser would change without a word is told instead.

orjson keeps the last of two equal keys and turns an integer beyond 64 bits into a rounded float. Both are
found without parsing twice: the marks of keys (`":`) are counted in the text and in what the parsed objects
are spelled like; only where the counts differ, a second, slower parser looks for the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import orjson

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import excerpt
from zhiling.sources.records.json_values import noun

INT_RANGE = (-(2**63), 2**64 - 1)
LONG_DIGITS = 19
"""Integers of fewer digits fit into 64 bits."""

_KEY = b'":'
# what makes the number of key marks in a text differ from that in its spelling: space, escaped quote or colon
_ODD_KEY = re.compile(rb'"[ \t]+:|\\u0022|\\u003[aA]')
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % LONG_DIGITS)


class Inexact(Exception):
    """A JSON text that cannot be held as it is.

    Args:
        cls: the class of the bad item.
        message: what was wrong, and what is allowed.
    """

    def __init__(self, cls: str, message: str) -> None:
        super().__init__(message)
        self.cls, self.message = cls, message


def parsed(line: bytes, place: str, *, column: bool = True) -> dict[str, Any] | Bad:
    """The object that a line holds, or why it is none; with `column`, the place tells where it breaks."""
    try:
        item: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        message = f"{error.msg}; one JSON object is needed"
        return Bad(f"{place}:{error.colno}" if column else place, "broken_json", message, excerpt(line))
    if isinstance(item, dict):
        return cast(dict[str, Any], item)
    message = f"here is {noun(item)}; a record is an object: {{…}}"
    return Bad(place, "not_an_object", message, excerpt(line))


def inexact(lines: Sequence[bytes], items: Sequence[Mapping[str, Any]]) -> dict[int, Inexact]:
    """Which of these objects are not what their lines say, by index, and why."""
    if _same(b"\n".join(lines), items):
        return {}
    found: dict[int, Inexact] = {}
    for index, (line, item) in enumerate(zip(lines, items, strict=True)):
        try:
            if not _same(line, item):
                _check(line, item)
        except Inexact as problem:
            found[index] = problem
    return found


def has_long_number(text: bytes) -> bool:
    """Whether 19 digits stand in a row: then two of every ninth byte that follow each other are digits."""
    digits = np.frombuffer(text, dtype=np.uint8)[:: LONG_DIGITS // 2] - ord("0") < 10
    return bool((digits[1:] & digits[:-1]).any()) and _LONG_NUMBER.search(text) is not None


def _same(text: bytes, parsed: Any) -> bool:
    """True where no key was dropped and no integer rounded; False where that takes a closer look."""
    if has_long_number(text) or _ODD_KEY.search(text):
        return False
    try:
        return text.count(_KEY) == orjson.dumps(parsed).count(_KEY)
    except orjson.JSONEncodeError:
        return False


def _check(line: bytes, item: Mapping[str, Any]) -> None:
    try:
        orjson.dumps(item)
    except orjson.JSONEncodeError:
        raise Inexact(
            "too_deep", "lists and objects nested too deeply; at most 250 levels are kept"
        ) from None
    json.loads(line, object_pairs_hook=_unique, parse_int=_integer)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Inexact("duplicate_key", f"key {name!r} stands twice in one object; one of them must go")
        seen.add(name)


def _integer(digits: str) -> None:
    if len(digits) > LONG_DIGITS + 1 or not INT_RANGE[0] <= int(digits) <= INT_RANGE[1]:
        message = f'the number {digits:.40} does not fit into 64 bits; write it as a string: "{digits:.40}"'
        raise Inexact("number_too_large", message)
