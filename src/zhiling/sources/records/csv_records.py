"""CSV by RFC 4180: quoted cells may hold delimiters and line breaks; a broken record costs only itself.

The delimiter (comma, semicolon, tab) is the one that splits the header into most cells. A quote that
is never closed would swallow the rest of the file, so the record that fails is told and reading goes on
with the next line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import count
from typing import Any, Literal

import polars as pl

from zhiling.pipeline.step import Bad
from zhiling.sources.files.lines import MAX_LINE_BYTES, Block, excerpt
from zhiling.sources.records.records import FrameItems, Records
from zhiling.sources.records.regular_csv import regular_table

Delimiter = Literal["auto", ",", ";", "\t"]
DELIMITERS = (",", ";", "\t")
RECORDS_AT_ONCE = 10_000
LINES_AT_ONCE = 64


class _Lines:
    """Feeds the csv module line by line and can go back to the line behind a record's first one."""

    def __init__(self, blocks: Iterator[Block | Bad]) -> None:
        self.bad: list[Bad] = []
        self._blocks = blocks
        self._ahead: Block | None = None  # what is left of a block in which a record ended
        self._rest: Block | None = None  # the beginning of a record whose end is in the next block
        self._reaching = False  # a record that began in an earlier block has taken lines of this one
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

    def take(self) -> Block | None:
        """The next block, if all lines before it are read; `leave` or `give` takes back what is not used."""
        if self._next < len(self._lines) or self._barrier:
            return None
        item = self._pull()
        if not isinstance(item, Block):
            self._barrier = item
            return None
        rest, self._rest = self._rest, None
        return item if rest is None else Block(rest.first, rest.data + item.data)

    def leave(self, block: Block, used: int, lines: int) -> None:
        """Keeps what is left of a taken block: it begins a record that ends in the next one."""
        if used < len(block.data):
            self._rest = Block(block.first + lines, block.data[used:])

    def give(self, block: Block) -> None:
        """Gives a taken block back, to be read line by line."""
        self._lines = [line.decode() for line in block.lines]
        self._first = block.first
        self._start = self._next = 0

    def begin(self) -> bool:
        """Begins a record at the next line; False at the end of the file."""
        if self._rest:
            self.give(self._rest)
            self._rest = None
        self._start, self._size, self._reaching = self._next, 0, False
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

    def _pull(self) -> Block | Bad | None:
        ahead, self._ahead = self._ahead, None
        return ahead or next(self._blocks, None)

    def _fill(self) -> bool:
        item = self._pull()
        if item is None or isinstance(item, Bad):
            self._barrier = item
            return False
        self._lines = self._lines[self._start :]
        self._first = item.first - len(self._lines)
        self._next -= self._start
        self._start = 0
        self._lines.extend(line.decode() for line in self._head(item))
        return True

    def _head(self, block: Block) -> list[bytes]:
        """The lines of a block; at first only some, so that the others may be taken when the record ends."""
        head = block.data.split(b"\n", LINES_AT_ONCE)
        if self._reaching or len(head) <= LINES_AT_ONCE or not head[-1]:
            return block.lines
        self._reaching = True
        self._ahead = Block(block.first + LINES_AT_ONCE, head.pop())
        return head

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


class _Reader:
    """Reads blocks as columns where it can, and record by record elsewhere."""

    def __init__(self, blocks: Iterator[Block | Bad], place: str, delimiter: Delimiter) -> None:
        self._lines = _Lines(blocks)
        self._place = place
        self._delimiter = delimiter
        self._mark = ","
        self._reader: Iterator[list[str]] | None = None
        self._header: list[str] = []
        self._items: list[dict[str, Any]] = []
        self._numbers: list[int] = []

    def records(self) -> Iterator[Records]:
        while True:
            table = self._table() if self._header else None
            if table:
                if self._items or self._lines.bad:
                    yield self._flushed()
                yield table
            elif not self._lines.begin():
                break
            else:
                self._add(self._cells())
            if len(self._items) >= RECORDS_AT_ONCE:
                yield self._flushed()
        yield self._flushed()

    def _table(self) -> Records | None:
        block = self._lines.take()
        table = regular_table(block.data, len(self._header), self._mark) if block else None
        if block is None or table is None:
            if block:
                self._lines.give(block)
            return None
        self._lines.leave(block, table.used, table.used_lines)
        frame = pl.DataFrame(dict(zip(self._header, table.columns, strict=True)))
        first, lines = block.first, table.lines
        numbers = range(first, first + len(lines)) if isinstance(lines, range) else [first + n for n in lines]
        return Records(self._place, numbers, FrameItems(frame))

    def _cells(self) -> list[str]:
        """The cells of the record that has begun; none where it is blank or broken."""
        lines = self._lines
        if self._reader is None:
            self._mark = _delimiter(lines.first) if self._delimiter == "auto" else self._delimiter
            self._reader = csv.reader(lines, delimiter=self._mark, strict=True)
        try:
            return next(self._reader, list[str]())
        except csv.Error as error:
            message = f'{error}; a quoted cell ends with a quote, and quotes inside it are doubled: ""'
            self._refuse("broken_csv", message)
            lines.back()
            return []

    def _add(self, cells: list[str]) -> None:
        if cells and not self._header:
            self._header = _unique(cells)
        elif cells and len(cells) == len(self._header):
            self._items.append(dict(zip(self._header, cells, strict=True)))
            self._numbers.append(self._lines.number)
        elif cells:
            names = ", ".join(self._header)
            self._refuse(
                "column_count", f"{len(cells)} cells where the header has {len(self._header)}: {names}"
            )

    def _refuse(self, cls: str, message: str) -> None:
        lines = self._lines
        lines.bad.append(Bad(f"{self._place}:{lines.number}", cls, message, excerpt(lines.first)))

    def _flushed(self) -> Records:
        records = Records(self._place, self._numbers, self._items, self._lines.bad)
        self._items, self._numbers, self._lines.bad = [], [], []
        return records


def csv_records(
    blocks: Iterator[Block | Bad], place: str, delimiter: Delimiter = "auto"
) -> Iterator[Records]:
    """The records below the header as strings, with the line where each begins.

    Blocks that allow it are read as columns, all others record by record, which gives the same.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    return _Reader(blocks, place, delimiter).records()


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), list[str]())))


def _unique(names: list[str]) -> list[str]:
    """Header names stripped, the second of equal ones as `name_2`."""
    unique: dict[str, None] = {}
    for name in (name.strip() for name in names):
        numbered = (name if number == 1 else f"{name}_{number}" for number in count(1))
        unique[next(each for each in numbered if each not in unique)] = None
    return list(unique)
