"""Blocks of flat JSON objects that are all spelled alike, as columns: nothing is parsed but their values.

The first line says how a line is spelled: fixed text (brackets, keys, commas, space) with values between. If
every line has the same fixed text, if all quotes that are not escaped stand where that says, and if there is
no control character, then each value lies between two pieces of fixed text: strings are slices of the block
(its escapes resolved all at once), other values are parsed as JSON. Any doubt (an unknown key, a list, a null
among strings, an escape that JSON does not know) makes `regular_frame` give None, and the block is read line
by line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from zhiling.sources.records.json_text import LONG_DIGITS
from zhiling.sources.records.slices import Positions, positions, strings

QUOTE, BACKSLASH, NEWLINE, SPACE = b'"\\\n '
ESCAPES = {
    "\\\\": "\\",
    '\\"': '"',
    "\\/": "/",
    "\\b": "\b",
    "\\f": "\f",
    "\\n": "\n",
    "\\r": "\r",
    "\\t": "\t",
}
UNICODE_ESCAPE = ord("u")
PLACEHOLDER = 1  # a control character, so the block holds none

_VALUE = re.compile(rb"([ \t]*:[ \t]*)([^ \t,}]+)")
_meant = np.zeros(256, dtype=np.uint8)  # by an escape, 0 where JSON knows none; \u is looked at apart
_meant[list(rb'"\/bfnrtu')] = list(b'"\\/\b\f\n\r\tu')


class _Irregular(Exception):
    """The block cannot be read this way."""


@dataclass
class _Line:
    """How a line is spelled.

    Attributes:
        names: the keys.
        fixed: the text before each value, and behind the last.
        quote: of each value, the number of the quote in a line that opens it, or (`is_text` is False) the one
            that closes its key.
        is_text: whether each value is a string.
    """

    names: list[str] = field(default_factory=list[str])
    fixed: list[bytes] = field(default_factory=list[bytes])
    quote: list[int] = field(default_factory=list[int])
    is_text: list[bool] = field(default_factory=list[bool])


@dataclass(frozen=True)
class _Text:
    """A block with the places of its marks; `quotes` has shape (lines, quotes a line)."""

    data: bytes
    content: NDArray[np.uint8]
    newlines: Positions
    quotes: Positions
    escapes: Positions

    @cached_property
    def plain(self) -> bytearray:
        """The block with its escapes resolved; those by code point are left as `u` and four digits."""
        meant = _meant[self.content[self.escapes + 1]]
        is_slash = meant == BACKSLASH
        plain = bytearray(self.data)
        np.frombuffer(plain, dtype=np.uint8)[self.escapes + 1] = np.where(is_slash, PLACEHOLDER, meant)
        plain = plain.replace(b"\\", b"")  # all that begin an escape, and no others are left
        places = self.escapes - np.arange(len(self.escapes))
        np.frombuffer(plain, dtype=np.uint8)[places[is_slash]] = BACKSLASH
        return plain

    @cached_property
    def coded_before(self) -> Positions:
        """How many of the first n escapes are by code point, for each n."""
        return np.concatenate([[0], np.cumsum(self.content[self.escapes + 1] == UNICODE_ESCAPE)])


def regular_frame(data: bytes) -> pl.DataFrame | None:
    """A column a key; None where the lines of the block are not all spelled like the first.

    Args:
        data: whole lines of valid UTF-8, each ended by LF.
    """
    try:
        text = _marked(data)
        line = _spelling(text)
        columns = [
            _strings(text, *places) if is_text else _scalars(data, *places)
            for is_text, places in zip(line.is_text, _values(text, line), strict=True)
        ]
    except (_Irregular, orjson.JSONDecodeError):
        return None
    return pl.DataFrame(dict(zip(line.names, columns, strict=True)))


def _marked(data: bytes) -> _Text:
    content = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(content < SPACE)
    if (content[newlines] != NEWLINE).any():
        raise _Irregular  # a control character: a tab between values, or what no JSON string may hold
    quotes = positions(content, b'"')
    escapes = escapes_of(content) if b"\\" in data else np.empty(0, dtype=np.int64)
    if len(escapes):
        behind = content[escapes + 1]
        if not _meant[behind].all():
            raise _Irregular
        quotes = np.delete(quotes, np.searchsorted(quotes, escapes[behind == QUOTE] + 1))
    if not len(quotes) or len(quotes) % len(newlines):
        raise _Irregular
    return _Text(data, content, newlines, quotes.reshape(len(newlines), -1), escapes)


def escapes_of(content: NDArray[np.uint8]) -> Positions:
    """Where escapes begin: of backslashes in a row, the first, the third and so on."""
    slashes = positions(content, b"\\")
    first = np.concatenate([[True], np.diff(slashes) != 1])
    if first.all():
        return slashes
    numbers = np.arange(len(slashes))
    return slashes[(numbers - np.maximum.accumulate(np.where(first, numbers, 0))) % 2 == 0]


def _spelling(text: _Text) -> _Line:
    """How the first line is spelled, if it is one flat object with plain keys."""
    head = text.data[: text.newlines[0]]
    item: Any = orjson.loads(head)
    quotes: list[int] = text.quotes[0].tolist()
    if not isinstance(item, dict) or np.count_nonzero(text.quotes < len(head)) != len(quotes):
        raise _Irregular
    line, end, used = _Line(), 0, 0
    for name, value in cast(dict[str, Any], item).items():
        opening, closing = quotes[used], quotes[used + 1]
        if head[opening + 1 : closing] != name.encode():
            raise _Irregular
        used += 2
        line.names.append(name)
        line.is_text.append(isinstance(value, str))
        if isinstance(value, str):
            line.fixed.append(head[end : quotes[used] + 1])
            line.quote.append(used)
            end, used = quotes[used + 1], used + 2
            continue
        token = _VALUE.match(head, closing + 1)
        if token is None:
            raise _Irregular
        line.fixed.append(head[end : token.start(2)])
        line.quote.append(used - 1)
        end = token.end(2)
    if used != len(quotes) or not line.names:
        raise _Irregular
    line.fixed.append(head[end:])
    return line


def _values(text: _Text, line: _Line) -> list[tuple[Positions, Positions]]:
    """Where each value begins and ends, one pair a key; all text between them is what it must be."""
    places: list[tuple[Positions, Positions]] = []
    end = np.concatenate([[0], text.newlines[:-1] + 1])
    for number, (fixed, quote) in enumerate(zip(line.fixed, line.quote, strict=False)):
        start = end + len(fixed)
        _require(text, end, fixed)
        if line.is_text[number]:
            if (text.quotes[:, quote] != start - 1).any():
                raise _Irregular
            end = text.quotes[:, quote + 1]
        else:
            last = quote + 1 == text.quotes.shape[1]
            behind = line.fixed[number + 1]
            gap = len(behind) if last else behind.index(b'"')
            end = (text.newlines if last else text.quotes[:, quote + 1]) - gap
        places.append((start, end))
        if (end < start).any():
            raise _Irregular
    _require(text, end, line.fixed[-1])
    if (end + len(line.fixed[-1]) != text.newlines).any():
        raise _Irregular
    return places


def _require(text: _Text, places: Positions, expected: bytes) -> None:
    """These bytes stand at all of these places."""
    if places[-1] + len(expected) > len(text.content):
        raise _Irregular
    found = text.content[places[:, None] + np.arange(len(expected))]
    if (found != np.frombuffer(expected, dtype=np.uint8)).any():
        raise _Irregular


def _strings(text: _Text, starts: Positions, ends: Positions) -> pl.Series:
    if not len(text.escapes):
        return strings(text.data, starts, ends)
    first, behind = np.searchsorted(text.escapes, starts), np.searchsorted(text.escapes, ends)
    plain = strings(text.plain, starts - first, ends - behind)
    coded = np.flatnonzero(text.coded_before[behind] > text.coded_before[first])
    if not len(coded):
        return plain
    pieces = zip((starts[coded] - 1).tolist(), (ends[coded] + 1).tolist(), strict=True)
    decoded = pl.Series([orjson.loads(text.data[start:end]) for start, end in pieces], dtype=pl.String)
    order = np.arange(len(plain))
    order[coded] = len(plain) + np.arange(len(coded))
    return pl.concat([plain, decoded]).gather(order)


def _scalars(data: bytes, starts: Positions, ends: Positions) -> pl.Series:
    """Numbers, booleans and nulls, if they are of one type."""
    tokens = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    values: Sequence[Any] = orjson.loads(b"[" + b",".join(tokens) + b"]")
    types = set(map(type, values)) - {type(None)}
    if len(values) != len(tokens) or len(types) > 1 or not types <= {int, float, bool}:
        raise _Irregular
    if max(map(len, tokens)) >= LONG_DIGITS:
        raise _Irregular
    return pl.Series(values, dtype=None if types else pl.String)
