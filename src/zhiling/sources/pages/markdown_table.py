"""Tables and paragraphs of other formats as Markdown that says what they said.

A table is a GFM table: its first row is the header. A merged cell has its value once, in its top-left cell;
the cells that it covers are empty. Lines of a cell are joined by `<br>`, and a pipe in it is escaped.
Source: GitHub Flavored Markdown, section 4.10 (tables).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LINE_BREAK = re.compile(r"[ \t]*(?:\r\n?|[\n\v\f\x85\u2028\u2029])\s*")
_BLOCK_MARK = re.compile(
    r"(?=#{1,6}(?:[ \t]|$)|>|\||`{3}|~{3}|(?:=+|-{2,})[ \t]*$|([*_-])[ \t]*(?:\1[ \t]*){2,}$)"
)


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a Markdown table without empty columns at its right; empty where no cell holds text.

    A table of a single cell is a frame: it is given as the text that it holds.
    """
    cleaned = [[cell(each) for each in row] for row in rows]
    cleaned = [row for row in cleaned if any(row)]
    width = max((index + 1 for row in cleaned for index, each in enumerate(row) if each), default=0)
    if not width:
        return ""
    if width == 1 and len(cleaned) == 1:
        return next(each for row in rows for each in row if each.strip()).strip()
    lines = [line(row, width) for row in cleaned]
    return "\n".join([lines[0], rule(width), *lines[1:]])


def line(row: Sequence[str], width: int) -> str:
    """One row of so many cells (see `cell`)."""
    return f"| {' | '.join([*row, *[''] * width][:width])} |"


def rule(width: int) -> str:
    """The line below the header."""
    return "|" + " --- |" * width


def cell(content: str) -> str:
    """The content of a cell in one line."""
    return _LINE_BREAK.sub("<br>", content.strip()).replace("|", "\\|")


def literal(text: str) -> str:
    """The text of a paragraph; a line that Markdown would take for a heading, a table, … is escaped.

    Only marks at the start of a line change what a text *is*; marks inside (`snake_case`, `2 * 3`) stay.
    """
    return "\n".join(
        _BLOCK_MARK.sub("\\\\", each, count=1) if _BLOCK_MARK.match(each) else each
        for each in (line.strip() for line in text.strip().split("\n"))
    )
