"""CSV by RFC 4180: quoted cells may hold delimiters and line breaks; a broken record costs only itself.

The delimiter (comma, semicolon, tab) is the one that splits the header into most cells. A quote that
is never closed would swallow the rest of the file, so the record that fails is told and reading goes on
with the next line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, Literal

from zhiling.pipeline.step import Bad
from zhiling.sources.files import MAX_LINE_BYTES, Block, excerpt
from zhiling.sources.records import Records

Delimiter = Literal["auto", ",", ";", "\t"]
DELIMITERS = (",", ";", "\t")
RECORDS_AT_ONCE = 10_000


class _Lines:
    """Feeds the csv module line by line and can go back to the line behind a record's first one."""

    def __init__(self, blocks: Iterator[Block | Bad]) -> None:
        self.bad: list[Bad] = []
        self._blocks = blocks
        self._lines: list[str] = []
        self._first = 1  # the number of _lines[0]
        self._start = self._next = 0  # where the record begins, and the line to be read next
        self._size = 0
        self._barrier: Bad | None = None

    @property
    def number(self) -> int:
        """The number of the record's first line."""
        return self._first + self._start

    @property
    def first(self) -> str:
        """The record's first line."""
        return self._lines[self._start]

    def begin(self) -> bool:
        """Begins a record at the next line; False at the end of the file."""
        self._start, self._size = self._next, 0
        while self._start == len(self._lines):
            if self._barrier:
                self.bad.append(self._barrier)
                self._barrier = None
            if not self._fill() and not self._barrier:
                return False
        return True

    def back(self) -> None:
        """Goes on with the line behind the record's first one."""
        self._next = self._start + 1

    def _fill(self) -> bool:
        item = next(self._blocks, None)
        if item is None or isinstance(item, Bad):
            self._barrier = item
            return False
        self._lines = self._lines[self._start :]
        self._first = item.first - len(self._lines)
        self._next -= self._start
        self._start = 0
        self._lines.extend(line.decode() for line in item.lines)
        return True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        # a record may not reach across a line that could not be read, nor grow without bound
        if self._next == len(self._lines) and (self._barrier or not self._fill()):
            raise StopIteration
        line = self._lines[self._next]
        self._size += len(line)
        if self._size > MAX_LINE_BYTES:
            raise StopIteration
        self._next += 1
        return line + "\n"


def csv_records(
    blocks: Iterator[Block | Bad], place: str, delimiter: Delimiter = "auto"
) -> Iterator[Records]:
    """The records below the header as dictionaries of strings, with the line where each begins."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    lines = _Lines(blocks)
    header: list[str] = []
    items: list[dict[str, Any]] = []
    numbers: list[int] = []
    for cells in _cells(lines, place, delimiter):
        if not header:
            header = _unique(cells)
        elif len(cells) == len(header):
            items.append(dict(zip(header, cells, strict=True)))
            numbers.append(lines.number)
        else:
            message = f"{len(cells)} cells where the header has {len(header)}: {', '.join(header)}"
            lines.bad.append(Bad(f"{place}:{lines.number}", "column_count", message, excerpt(lines.first)))
        if len(items) >= RECORDS_AT_ONCE:
            yield Records(place, numbers, items, lines.bad)
            items, numbers, lines.bad = [], [], []
    yield Records(place, numbers, items, lines.bad)


def _cells(lines: _Lines, place: str, delimiter: Delimiter) -> Iterator[list[str]]:
    """The cells of each record that is not blank."""
    reader = None
    while lines.begin():
        if reader is None:
            mark = _delimiter(lines.first) if delimiter == "auto" else delimiter
            reader = csv.reader(lines, delimiter=mark, strict=True)
        try:
            cells = next(reader, list[str]())
        except csv.Error as error:
            message = f'{error}; a quoted cell ends with a quote, and quotes inside it are doubled: ""'
            lines.bad.append(Bad(f"{place}:{lines.number}", "broken_csv", message, excerpt(lines.first)))
            lines.back()
            continue
        if cells:
            yield cells


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), list[str]())))


def _unique(names: list[str]) -> list[str]:
    """Header names stripped, the second of equal ones as `name_2`."""
    seen: dict[str, int] = {}
    unique: list[str] = []
    for name in (name.strip() for name in names):
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique
