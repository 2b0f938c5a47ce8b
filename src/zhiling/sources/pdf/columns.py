"""Tables without rules: lines whose words stand in columns, parted by white that runs through all of them.

A row is what stands at one height. Its pieces are parted by gaps wider than the letters are high; rows below
each other form a table where upright bands of white part the pieces of all of them into the same columns.
A line in a column behind the first one continues the row above it. Lists, whose first column would hold
nothing but bullets and numbers, are no tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zhiling.sources.markdown_table import table
from zhiling.sources.pdf.page import Character, Line

GAP = 1.0  # times the size of the letters, between two pieces
RIVER = 0.5  # times the size, the least white between two columns
MIN_ROWS = 3
CLOSE = 3.0  # times the size, from one row to the next
_MARK = re.compile(r"[^\w\s]{1,2}|\(?\w{1,3}[.)、）]|\d+(?:\.\d+)+")

Band = tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """A text and where it begins and ends, in points."""

    left: float
    right: float
    text: str


@dataclass(frozen=True)
class Row:
    """Lines at one height, and their pieces from left to right."""

    lines: list[Line]
    pieces: list[Piece]
    bottom: float
    top: float
    size: float


def with_tables(lines: Sequence[Line]) -> Iterator[list[Line] | str]:
    """The lines in order, those that form a table as Markdown."""
    rows = list(_rows(lines))
    plain: list[Line] = []
    start = 0
    while start < len(rows):
        end, bands = _extent(rows, start)
        if end - start < MIN_ROWS or _is_list(rows[start:end], bands):
            plain += rows[start].lines
            start += 1
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
    _, bottom, right, top = line.box
    left, other_bottom, _, other_top = other.box
    shared = min(top, other_top) - max(bottom, other_bottom)
    return left > right and shared > 0.5 * min(top - bottom, other_top - other_bottom)


def _row(lines: list[Line]) -> Row:
    pieces = [piece for line in lines for piece in _pieces(line)]
    boxes = [line.box for line in lines]
    size = max(line.size for line in lines)
    return Row(lines, pieces, min(box[1] for box in boxes), max(box[3] for box in boxes), size)


def _pieces(line: Line) -> Iterator[Piece]:
    gathered: list[Character] = []
    right = 0.0
    for each in line.characters:
        if each.text.strip():
            if gathered and each.left - right > GAP * line.size:
                yield _piece(gathered)
                gathered = []
            right = each.right
        gathered.append(each)
    if any(each.text.strip() for each in gathered):
        yield _piece(gathered)


def _piece(characters: list[Character]) -> Piece:
    shown = [each for each in characters if each.text.strip()]
    text = "".join(each.text for each in characters).strip()
    return Piece(min(each.left for each in shown), max(each.right for each in shown), text)


def _extent(rows: Sequence[Row], start: int) -> tuple[int, list[Band]]:
    """Up to which row a table reaches that begins here, and its columns."""
    bands: list[Band] = []
    end = start
    for row in rows[start:]:
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


def _is_list(rows: Sequence[Row], bands: list[Band]) -> bool:
    first = [row.pieces[0].text for row in rows if row.pieces[0].left <= bands[0][1]]
    return all(_MARK.fullmatch(text) for text in first)


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
