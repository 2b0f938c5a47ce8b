"""Excel files into sections: a sheet is a heading, rows that follow each other are a table.

Hidden sheets are told, not read. Rows of which only one column is used are text, not a table. A long table is
cut between rows, and each piece begins with its header.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from zhiling.sources.pages.markdown_table import cell, line, literal, rule
from zhiling.sources.pages.office.drawing import text_of
from zhiling.sources.pages.office.package import Package, attribute, child, children, descendants
from zhiling.sources.pages.office.xlsx_cells import Cells, Row, letters
from zhiling.sources.pages.reading import Reading, Unreadable
from zhiling.sources.pages.sections import SectionBuilder

CHUNK_ROWS = 1000  # the columns of a table are settled for so many rows at a time
MIN_CHARACTERS = 100  # of a piece of a table


@dataclass
class Block:
    """Rows that follow each other, and the header that they are under."""

    rows: list[Row] = field(default_factory=list)
    header: Row | None = None  # of a table that has begun in an earlier block


def read_xlsx(package: Package, limit: int) -> Reading:
    """The visible sheets in their order, their tables in pieces of at most `limit` characters.

    Raises:
        Unreadable: the workbook itself, its texts or its styles are missing or broken.
    """
    main = package.main()
    workbook = package.tree(main)
    related = package.related(main)
    cells = Cells(package, main, workbook)
    builder = SectionBuilder()
    for sheet in children(child(workbook, "sheets"), "sheet"):
        name = attribute(sheet, "name")
        id = next((value for key, value in sheet.items() if key.endswith("}id")), "")
        kind, part = related.get(id, ("", ""))
        try:
            if attribute(sheet, "state", "visible") != "visible":
                raise Unreadable("hidden_sheet", f"the sheet {name!r} is hidden; unhide it to read it")
            if kind != "chartsheet":
                _add_sheet(cells.rows(part, name), name, limit, builder)
                _add_boxes(package, part, name, builder)
        except Unreadable as problem:
            cells.problems.append(problem.at(f"sheet {name}"))
    return Reading(builder.document(), tuple(cells.problems))


def _add_sheet(rows: Iterator[Row | Unreadable], name: str, limit: int, builder: SectionBuilder) -> None:
    room = max(limit - len(name) - 2, MIN_CHARACTERS)
    for block in _blocks(rows):
        for cells, text in _pieces(block, room):
            builder.heading(1, name, f"sheet {name}!{cells}")
            builder.paragraph(text, f"sheet {name}!{cells}")


def _add_boxes(package: Package, part: str, name: str, builder: SectionBuilder) -> None:
    """Adds the texts of boxes that are drawn on a sheet."""
    drawing = package.tree(package.first(part, "drawing"))
    texts = [text for each in descendants(drawing, "txBody") if (text := text_of(each))]
    if texts:
        builder.heading(1, name, f"sheet {name}")
    for text in texts:
        builder.paragraph(literal(text), f"sheet {name}")


def _blocks(rows: Iterator[Row | Unreadable]) -> Iterator[Block]:
    """Rows without an empty one between them, at most CHUNK_ROWS at a time.

    Raises:
        Unreadable: what came instead of a row, after the rows before it.
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
    """Ranges (`A1:D9`, without the header of later pieces) and their text."""
    header = block.header or block.rows[0]
    columns = sorted({column for row in (header, *block.rows) for column in row.cells})
    if len(columns) == 1:
        texts = [literal(row.cells[columns[0]]) for row in block.rows]
        yield _range(columns, block.rows[0].number, block.rows[-1].number), "\n".join(texts)
        return
    head = f"{_line(header, columns)}\n{rule(len(columns))}"
    lines, size = [head], len(head)
    first = last = block.rows[0].number
    for row in block.rows:
        if row is not header:
            written = _line(row, columns)
            if len(lines) > 1 and size + 1 + len(written) > limit:
                yield _range(columns, first, last), "\n".join(lines)
                lines, size, first = [head], len(head), row.number
            lines.append(written)
            size += 1 + len(written)
        last = row.number
    yield _range(columns, first, last), "\n".join(lines)


def _line(row: Row, columns: list[int]) -> str:
    return line([cell(row.cells.get(column, "")) for column in columns], len(columns))


def _range(columns: list[int], first: int, last: int) -> str:
    return f"{letters(columns[0])}{first}:{letters(columns[-1])}{last}"
