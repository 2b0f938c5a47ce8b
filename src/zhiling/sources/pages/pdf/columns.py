"""Tables without rules: lines whose words stand in columns, parted by white that runs through all of them.

A row is what stands at one height. Its pieces are parted by gaps wider than the letters are high; rows below
each other form a table where upright bands of white part the pieces of all of them into the same columns.
A line in a column behind the first one continues the row above it. Items of lists, which begin with a bullet
or a number and a gap, are no rows of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from zhiling.sources.pages.markdown_table import table
from zhiling.sources.pages.pdf.page import Line, Piece

RIVER = 0.5  # times the size, the least white between two columns
MIN_ROWS = 3
CLOSE = 3.0  # times the size, from one row to the next
_MARK = re.compile(r"[^\w\s]{1,2}|\(?\w{1,3}[.)、）]|\d+(?:\.\d+)+")

Band = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """Lines at one height, and their pieces from left to right."""

    lines: list[Line]
    pieces: list[Piece]
    bottom: float
    top: float
    size: float


def with_tables(lines: Sequence[Line]) -> Iterator[list[Line] | str]:
    """The lines in order, those at one height as one, those that form a table as Markdown."""
    rows = list(_rows(lines))
    plain: list[Line] = []
    start = 0
    while start < len(rows):
        end, bands = _extent(rows, start)
        items = _items(rows, start, end)
        if items or end - start < MIN_ROWS:
            end = start + max(items, 1)
            plain += map(_line, rows[start:end])
            start = end
            continue
        if plain:
            yield plain
        plain = []
        yield table(_cells(rows[start:end], bands))
        start = end
    if plain:
        yield plain


def _rows(lines: Sequence[Line]) -> Iterator[Row]:
    """Lines at one height together, where each begins right of the one before."""
    gathered: list[Line] = []
    for line in lines:
        if gathered and not _beside(gathered[-1], line):
            yield _row(gathered)
            gathered = []
        gathered.append(line)
    if gathered:
        yield _row(gathered)


def _beside(line: Line, other: Line) -> bool:
    shared = min(line.top, other.top) - max(line.bottom, other.bottom)
    lower = min(line.top - line.bottom, other.top - other.bottom)
    return other.left > line.right and shared > 0.5 * lower


def _row(lines: list[Line]) -> Row:
    pieces = [piece for line in lines for piece in line.pieces]
    bottom, top = min(line.bottom for line in lines), max(line.top for line in lines)
    return Row(lines, pieces, bottom, top, max(line.size for line in lines))


def _line(row: Row) -> Line:
    """The lines of a row as one, such as a bullet and its text."""
    if len(row.lines) == 1:
        return row.lines[0]
    text = " ".join(line.text for line in row.lines)
    left, right = row.lines[0].left, row.lines[-1].right
    return Line(text, tuple(row.pieces), row.size, left, row.bottom, right, row.top)


def _extent(rows: Sequence[Row], start: int) -> tuple[int, list[Band]]:
    """Up to which row a table reaches that begins here, and its columns."""
    bands: list[Band] = []
    end = start
    for index in range(start, len(rows)):
        row = rows[index]
        if end > start and not _follows(rows[end - 1], row):
            break
        joined = _joined(bands, row)
        if len(row.pieces) < 2 and (end == start or not _continues(bands, row)):
            break
        if len(joined) < max(2, len(bands)):
            break
        bands, end = joined, end + 1
    while end > start and len(rows[end - 1].pieces) < 2:
        end -= 1
    return end, bands


def _follows(above: Row, row: Row) -> bool:
    return (
        0 < above.bottom - row.bottom < CLOSE * max(row.size, above.size) and abs(above.size - row.size) < 2
    )


def _continues(bands: list[Band], row: Row) -> bool:
    """Whether a row of one piece stands in a column behind the first."""
    return len(bands) > 1 and row.pieces[0].left >= bands[1][0] - 1


def _joined(bands: list[Band], row: Row) -> list[Band]:
    """The columns with the pieces of one more row in them."""
    merged: list[Band] = []
    for left, right in sorted([*bands, *((each.left, each.right) for each in row.pieces)]):
        if merged and left - merged[-1][1] < RIVER * row.size:
            merged[-1] = merged[-1][0], max(merged[-1][1], right)
        else:
            merged.append((left, right))
    return merged


def _items(rows: Sequence[Row], start: int, end: int) -> int:
    """How many rows from the start on are items of a list: their first piece is a bullet or a number."""
    items = takewhile(lambda index: _MARK.fullmatch(rows[index].pieces[0].text), range(start, end))
    return sum(1 for _ in items)


def _cells(rows: Sequence[Row], bands: list[Band]) -> list[list[str]]:
    cells: list[list[str]] = []
    for row in rows:
        texts = [" ".join(each.text for each in row.pieces if _within(each, band)) for band in bands]
        if len(row.pieces) < 2 and cells:
            cells[-1] = [f"{above} {text}".strip() for above, text in zip(cells[-1], texts, strict=True)]
        else:
            cells.append(texts)
    return cells


def _within(piece: Piece, band: Band) -> bool:
    return band[0] <= piece.left <= band[1]
