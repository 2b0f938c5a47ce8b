"""Blocks of CSV whose quotes all stand where RFC 4180 wants them, as columns.

A delimiter or a line end counts where the number of quotes before it is even. If that gives every record the
same number of cells, if every quote opens a cell, closes one or is one of two in a row within a quoted cell,
then the cells are slices of the block. Any doubt makes `regular_table` give None; then the block is read
record by record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.sources.records.slices import Positions, positions, strings

QUOTE, NEWLINE, NUL = ord('"'), ord("\n"), 0


@dataclass(frozen=True)
class Table:
    """The whole records of a block.

    Attributes:
        columns: of strings, without names.
        lines: the line where each record begins, counted from 0.
        used: the bytes that they take, and
        used_lines: the lines; what follows is the beginning of a record.
    """

    columns: list[pl.Series]
    lines: Sequence[int]
    used: int
    used_lines: int


def regular_table(data: bytes, width: int, delimiter: str) -> Table | None:
    """The records of a block, or None where it takes a closer look.

    Args:
        data: whole lines of valid UTF-8 without NUL, each ended by LF; a record begins at the first one.
        width: the number of cells that a record must have.
        delimiter: one ASCII character.
    """
    content = np.frombuffer(data, dtype=np.uint8)
    marks = positions(content, bytes((QUOTE, ord(delimiter), NEWLINE)))
    kinds = content[marks]
    is_quote = kinds == QUOTE
    outside = ~is_quote & (np.cumsum(is_quote) % 2 == 0)
    ends = _record_ends(marks[outside], kinds[outside], width)
    if ends is None:
        return None
    used = int(ends[-1, -1]) + 1
    starts = np.concatenate([[0], ends.ravel()[:-1] + 1]).reshape(ends.shape)
    newlines = marks[kinds == NEWLINE]
    lines = np.searchsorted(newlines, starts[:, 0])
    quotes = marks[is_quote & (marks < used)]
    if width == 1 and (starts == ends).any():
        return None  # a blank line is no record
    columns = _cells(data, content, quotes, (starts, ends)) if len(quotes) else _plain(data, starts, ends)
    if columns is None:
        return None
    apart = lines[-1] - lines[0] + 1 != len(lines)
    shown: Sequence[int] = lines.tolist() if apart else range(len(lines))
    return Table(columns, shown, used, int(np.searchsorted(newlines, used)))


def _record_ends(places: Positions, kinds: NDArray[np.uint8], width: int) -> Positions | None:
    """Where cells end, shape (records, width), up to the last whole record."""
    whole = np.flatnonzero(kinds == NEWLINE)
    if not len(whole):
        return None
    size = int(whole[-1]) + 1
    if size % width:
        return None
    kinds = kinds[:size].reshape(-1, width)
    if (kinds[:, -1] != NEWLINE).any() or (kinds[:, :-1] == NEWLINE).any():
        return None
    return places[:size].reshape(-1, width)


def _plain(data: bytes | bytearray, starts: Positions, ends: Positions) -> list[pl.Series]:
    return [strings(data, starts[:, column], ends[:, column]) for column in range(starts.shape[1])]


def _cells(
    data: bytes, content: NDArray[np.uint8], quotes: Positions, cells: tuple[Positions, Positions]
) -> list[pl.Series] | None:
    """Columns of a block with quotes, or None where a quote is neither around a cell nor doubled in it."""
    starts, ends = cells
    first, behind = np.searchsorted(quotes, starts), np.searchsorted(quotes, ends)
    quoted = content[starts] == QUOTE
    if (quoted != (behind > first)).any() or (quotes[behind[quoted] - 1] != ends[quoted] - 1).any():
        return None
    inner = np.delete(quotes, np.concatenate([first[quoted], behind[quoted] - 1]))
    if (inner[1::2] != inner[::2] + 1).any():
        return None
    left: Positions = starts + quoted
    right: Positions = ends - quoted
    if not len(inner):
        return _plain(data, left, right)
    dropped = inner[::2]
    single = bytearray(data)
    np.frombuffer(single, dtype=np.uint8)[dropped] = NUL
    single = single.replace(b"\0", b"")
    return _plain(single, left - np.searchsorted(dropped, left), right - np.searchsorted(dropped, right))
