"""The cells of Excel sheets as texts, row by row as they stand in the file, so empty ranges cost nothing.

A formula is the value that was stored with it; where none was stored, the formula itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zhiling.sources.pages.office.number_format import Kind, built_in, custom, shown
from zhiling.sources.pages.office.package import (
    Package,
    attribute,
    child,
    children,
    descendants,
    local,
    whole_number,
)
from zhiling.sources.pages.reading import Unreadable

MAX_TOLD_CELLS = 100  # of a sheet that cannot be read, one by one; the others are counted
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_WORDS = {"1": "TRUE", "0": "FALSE"}


@dataclass(frozen=True)
class Row:
    """The cells of a row that hold something: column, from 1, → text."""

    number: int
    cells: dict[int, str]


def letters(column: int) -> str:
    """The name of a column: 1 is A, 27 is AA."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


class Cells:
    """The texts of cells, with what the workbook says about shared texts, number formats and dates.

    Attributes:
        problems: cells that could not be read.
    """

    def __init__(self, package: Package, main: str, workbook: Any) -> None:
        self._package = package
        strings = package.elements(package.first(main, "sharedStrings"), ("si",))
        self._shared = [_rich_text(each) for each in strings]
        self._formats = _formats(package.tree(package.first(main, "styles")))
        self._from_1904 = attribute(child(workbook, "workbookPr"), "date1904") in ("1", "true")
        self.problems: list[Unreadable] = []

    def rows(self, part: str, sheet: str) -> Iterator[Row | Unreadable]:
        """The rows of a sheet that hold something, as they come; last, where it ends too early, why."""
        number = broken = 0
        try:
            for element in self._package.elements(part, ("row",)):
                number = max(number + 1, whole_number(attribute(element, "r"), number + 1))
                row, problems = self._row(element, number)
                broken += len(problems)
                if broken <= MAX_TOLD_CELLS:
                    self.problems += [each.at(f"sheet {sheet}!{each.part}") for each in problems]
                if row.cells:
                    yield row
        except Unreadable as problem:
            yield problem
        if broken > MAX_TOLD_CELLS:
            message = f"{broken:,} cells of the sheet could not be read; not all are told one by one"
            self.problems.append(Unreadable("broken_cell", message, f"sheet {sheet}"))

    def _row(self, element: Any, number: int) -> tuple[Row, list[Unreadable]]:
        cells: dict[int, str] = {}
        problems: list[Unreadable] = []
        column = 0
        for each in children(element, "c"):
            column = _column(attribute(each, "r")) or column + 1
            try:
                text = self._text(each).strip()
            except Unreadable as problem:
                problems.append(problem.at(f"{letters(column)}{number}"))
                continue
            if text:
                cells[column] = text
        return Row(number, cells), problems

    def _text(self, element: Any) -> str:
        kind = attribute(element, "t", "n")
        if kind == "inlineStr":
            return _rich_text(child(element, "is"))
        value, formula = child(element, "v"), child(element, "f")
        text: str = (value.text or "") if value is not None else ""
        if not text:
            return f"={formula.text}" if formula is not None and formula.text else ""
        if kind == "s":
            return self._shared_text(text)
        if kind == "b":
            return _WORDS.get(text, text)
        if kind != "n":
            return text
        style = whole_number(attribute(element, "s"))
        format = self._formats[style] if 0 <= style < len(self._formats) else "number"
        return shown(text, format, from_1904=self._from_1904)

    def _shared_text(self, index: str) -> str:
        number = whole_number(index, -1)
        if not 0 <= number < len(self._shared):
            message = f"the cell refers to text {index[:20]!r}; the file holds {len(self._shared):,} texts"
            raise Unreadable("broken_cell", message)
        return self._shared[number]


def _rich_text(element: Any) -> str:
    """The runs of a text; phonetic hints (furigana, pinyin) are not part of it."""
    texts: list[str] = []
    for each in element if element is not None else ():
        if local(each) == "t":
            texts.append(each.text or "")
        elif local(each) == "r":
            texts += [one.text or "" for one in children(each, "t")]
    return "".join(texts)


def _formats(styles: Any) -> list[Kind]:
    """What the number format of each cell style shows."""
    own: dict[int, Kind] = {
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
