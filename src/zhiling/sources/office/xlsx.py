"""Excel files into sections: a sheet is a heading, rows that follow each other are a table.

Rows are read one after the other as they stand in the file, so neither empty ranges nor many rows cost memory.
A formula is its stored value; where none was stored, the formula itself. Hidden sheets are told, not read.
A block of rows in one column is text, not a table. A long table is cut between rows and repeats its header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from zhiling.sources.markdown_table import cell, line, literal, rule
from zhiling.sources.office.drawing import text_of
from zhiling.sources.office.number_format import Kind, built_in, custom, shown
from zhiling.sources.office.package import (
    Package,
    attribute,
    child,
    children,
    descendants,
    local,
    whole_number,
)
from zhiling.sources.reading import Reading, Unreadable
from zhiling.sources.sections import SectionBuilder

CHUNK_ROWS = 1000  # the columns of a table are settled for so many rows at a time
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_WORDS = {"1": "TRUE", "0": "FALSE"}


@dataclass(frozen=True)
class Row:
    """The cells of a row that hold something: column, from 1, → text."""

    number: int
    cells: dict[int, str]


@dataclass
class Block:
    """Rows that follow each other, and the header that they are under."""

    rows: list[Row] = field(default_factory=list)
    header: Row | None = None  # of a table that has begun earlier


def read_xlsx(package: Package, limit: int) -> Reading:
    """The visible sheets in their order, their tables in pieces of about `limit` characters.

    Raises:
        Unreadable: the workbook itself is missing or broken.
    """
    main = package.main()
    workbook = package.tree(main)
    related = package.related(main)
    cells = _Cells(package, main, workbook)
    builder = SectionBuilder()
    problems: list[Unreadable] = []
    for sheet in children(child(workbook, "sheets"), "sheet"):
        name = attribute(sheet, "name")
        id = next((value for key, value in sheet.items() if key.endswith("}id")), "")
        kind, part = related.get(id, ("", ""))
        if attribute(sheet, "state", "visible") != "visible":
            message = f"the sheet {name!r} is hidden; unhide it to read it"
            problems.append(Unreadable("hidden_sheet", message, f"sheet {name}"))
        elif kind == "worksheet":
            try:
                _read_sheet(cells.rows(part, name), name, limit, builder)
                for text in _boxes(package, part):
                    builder.paragraph(text, f"sheet {name}")
            except Unreadable as problem:
                problems.append(problem.at(f"sheet {name}"))
    return Reading(builder.document(), (*problems, *cells.problems))


def _read_sheet(rows: Iterator[Row | Unreadable], name: str, limit: int, builder: SectionBuilder) -> None:
    room = max(limit - len(name) - 2, 100)
    for block in _blocks(rows):
        for at, text in _pieces(block, room):
            builder.heading(1, name, f"sheet {name}!{at}")
            builder.paragraph(text, f"sheet {name}!{at}")


def _boxes(package: Package, part: str) -> list[str]:
    """The texts of boxes that are drawn on a sheet."""
    drawing = package.tree(package.first(part, "drawing"))
    return [literal(text) for each in descendants(drawing, "txBody") if (text := text_of(each))]


def _blocks(rows: Iterator[Row | Unreadable]) -> Iterator[Block]:
    """Rows without an empty one between them, at most CHUNK_ROWS at a time.

    Raises:
        Unreadable: after the rows that came before it.
    """
    block = Block()
    for row in rows:
        if isinstance(row, Unreadable):
            yield from [block] if block.rows else []
            raise row
        if block.rows and row.number != block.rows[-1].number + 1:
            yield block
            block = Block()
        elif len(block.rows) == CHUNK_ROWS:
            yield block
            block = Block(header=block.header or block.rows[0])
        block.rows.append(row)
    if block.rows:
        yield block


def _pieces(block: Block, limit: int) -> Iterator[tuple[str, str]]:
    """Ranges (`A1:D9`) and their text."""
    columns = sorted(
        {column for row in [*([block.header] if block.header else []), *block.rows] for column in row.cells}
    )
    if len(columns) == 1:
        texts = [literal(row.cells.get(columns[0], "")) for row in block.rows]
        yield _range(columns, block.rows[0].number, block.rows[-1].number), "\n".join(filter(None, texts))
        return
    header = block.header or block.rows[0]
    head = [line(_line_cells(header, columns), len(columns)), rule(len(columns))]
    lines: list[str] = []
    first = block.rows[0].number
    size = sum(map(len, head))
    for row in block.rows:
        if row is header:
            continue
        written = line(_line_cells(row, columns), len(columns))
        if lines and size + len(written) + 1 > limit:
            yield _range(columns, first, row.number - 1), "\n".join([*head, *lines])
            lines, first, size = [], row.number, sum(map(len, head))
        lines.append(written)
        size += len(written) + 1
    yield _range(columns, first, block.rows[-1].number), "\n".join([*head, *lines])


def _line_cells(row: Row, columns: list[int]) -> list[str]:
    return [cell(row.cells.get(column, "")) for column in columns]


def _range(columns: list[int], first: int, last: int) -> str:
    return f"{letters(columns[0])}{first}:{letters(columns[-1])}{last}"


def letters(column: int) -> str:
    """The name of a column: 1 is A, 27 is AA."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


class _Cells:
    """The texts of cells, with what the workbook says about shared texts, number formats and dates."""

    def __init__(self, package: Package, main: str, workbook: Any) -> None:
        self._package = package
        strings = package.elements(package.first(main, "sharedStrings"), ("si",))
        self._shared = [_rich_text(each) for each in strings]
        self._formats = _formats(package.tree(package.first(main, "styles")))
        self._from_1904 = attribute(child(workbook, "workbookPr"), "date1904") in ("1", "true")

        self.problems: list[Unreadable] = []

    def rows(self, part: str, name: str) -> Iterator[Row | Unreadable]:
        """The rows of a sheet that hold something, as they come; then why it ends too early, where it does."""
        try:
            yield from self._rows(part, name)
        except Unreadable as problem:
            yield problem

    def _rows(self, part: str, name: str) -> Iterator[Row]:
        number = 0
        for row in self._package.elements(part, ("row",)):
            number = max(number + 1, whole_number(attribute(row, "r"), number + 1))
            cells: dict[int, str] = {}
            column = 0
            for each in children(row, "c"):
                column = _column(attribute(each, "r")) or column + 1
                try:
                    text = self._text(each).strip()
                except Unreadable as problem:
                    self.problems.append(problem.at(f"sheet {name}!{letters(column)}{number}"))
                    continue
                if text:
                    cells[column] = text
            if cells:
                yield Row(number, cells)

    def _text(self, element: Any) -> str:
        kind = attribute(element, "t", "n")
        if kind == "inlineStr":
            return _rich_text(child(element, "is"))
        value = child(element, "v")
        text = (value.text or "") if value is not None else ""
        if not text:
            formula = child(element, "f")
            return f"={formula.text}" if formula is not None and formula.text else ""
        if kind == "s":
            index = whole_number(text, -1)
            if not 0 <= index < len(self._shared):
                message = (
                    f"the cell refers to text {text[:20]!r} of the {len(self._shared):,} that the file holds"
                )
                raise Unreadable("broken_cell", message)
            return self._shared[index]
        if kind == "b":
            return _WORDS.get(text, text)
        if kind != "n":
            return text
        style = whole_number(attribute(element, "s"))
        format = self._formats[style] if 0 <= style < len(self._formats) else "number"
        return shown(text, format, from_1904=self._from_1904)


def _rich_text(element: Any) -> str:
    """The runs of a text; phonetic hints (furigana, pinyin) are not part of it."""
    parts: list[str] = []
    for each in element if element is not None else ():
        if local(each) == "t":
            parts.append(each.text or "")
        elif local(each) == "r":
            parts += [one.text or "" for one in children(each, "t")]
    return "".join(parts)


def _formats(styles: Any) -> list[Kind]:
    """What the number format of each cell style shows."""
    own = {
        whole_number(attribute(each, "numFmtId"), -1): custom(attribute(each, "formatCode"))
        for each in descendants(child(styles, "numFmts"), "numFmt")
    }
    ids = [whole_number(attribute(each, "numFmtId")) for each in children(child(styles, "cellXfs"), "xf")]
    return [own.get(id) or built_in(id) for id in ids]


def _column(reference: str) -> int:
    """The number of the column in `AB12`; 0 where it says none."""
    match = _REFERENCE.fullmatch(reference)
    number = 0
    for letter in match[1] if match else "":
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
