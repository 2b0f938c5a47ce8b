"""Word files into sections: headings by style or outline level, lists with labels, tables, notes, formulas.

Text that was deleted or hidden, comments, and the headers and footers of pages are left out; inserted text is
in. A text box stands behind the paragraph that holds it, a footnote behind the paragraph that refers to it.
Places are pages where Word stored them when it last laid the document out, else paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from zhiling.sources.pages.markdown_table import literal, table
from zhiling.sources.pages.office.docx_text import Texts
from zhiling.sources.pages.office.numbering import BULLET, Numbering
from zhiling.sources.pages.office.package import (
    Package,
    attribute,
    child,
    descendants,
    local,
    whole_number,
)
from zhiling.sources.pages.office.styles import Styles
from zhiling.sources.pages.reading import Reading
from zhiling.sources.pages.sections import SectionBuilder

MAX_SPAN = 100  # columns that a cell may cover
_AROUND_BLOCKS = frozenset({"sdt", "sdtContent", "ins", "moveTo", "customXml"})


def read_docx(package: Package) -> Reading:
    """The document's title and sections.

    Raises:
        Unreadable: its main part, its styles or its lists are missing or broken.
    """
    return _Reader(package).read()


class _Reader:
    def __init__(self, package: Package) -> None:
        main = package.main()
        self._body = child(package.tree(main), "body")
        self._styles = Styles(package.tree(package.first(main, "styles")))
        self._numbering = Numbering(package.tree(package.first(main, "numbering")))
        has_pages = next(descendants(self._body, "lastRenderedPageBreak"), None) is not None
        self._texts = Texts(package, main, has_pages=has_pages)
        self._builder = SectionBuilder()
        self._list: list[str] = []  # the items of the list that is open
        self._list_at = ""
        self._paragraph = 0

    def read(self) -> Reading:
        """All of the body."""
        self._take_all(self._body)
        self._close_list()
        return Reading(self._builder.document(), tuple(self._texts.problems))

    def _take_all(self, parent: Any) -> None:
        """Takes the paragraphs and tables of the body, or of a table of one cell, which is but a frame."""
        for block in _blocks(parent, "p", "tbl"):
            if local(block) == "p":
                self._paragraph += 1
                self._take_paragraph(block)
            elif (frame := _only_cell(block)) is not None:
                self._take_all(frame)
            else:
                self._close_list()
                self._texts.first_page = 0
                self._take(table(self._rows(block)))

    def _take_paragraph(self, element: Any) -> None:
        self._texts.first_page = 0
        text = self._texts.of(element).strip()
        kind = self._styles.kind(child(element, "pPr"))
        label = self._numbering.label(kind.list_id, kind.list_level) if text and kind.list_id else ""
        if text and kind.heading is not None:
            self._close_list()
            heading = " ".join(f"{label if label != BULLET else ''} {text}".split())
            self._builder.heading(kind.heading, heading, self._at())
            self._take("")
        elif label:
            self._list_at = self._list_at or self._at()
            self._list.append(item(text, label, kind.list_level))
        elif text:
            self._close_list()
            self._take(literal(text))
        elif not self._list:  # an empty paragraph may hold a box or a picture; it ends no list
            self._take("")

    def _at(self) -> str:
        page = self._texts.first_page or self._texts.page
        return f"page {page}" if page else f"paragraph {self._paragraph}"

    def _take(self, text: str) -> None:
        """Adds a paragraph or table, and what stands beside it."""
        at = self._at()
        for each in (text, *self._beside()):
            self._builder.paragraph(each, at)

    def _close_list(self) -> None:
        """Ends the list that is open; what stands beside its items comes behind it."""
        if self._list:
            for each in ("\n".join(self._list), *self._beside()):
                self._builder.paragraph(each, self._list_at)
        self._list, self._list_at = [], ""

    def _beside(self) -> Iterator[str]:
        for each in self._texts.beside():
            yield from [each] if isinstance(each, str) else self._boxed(each)

    def _boxed(self, box: Any) -> Iterator[str]:
        """The paragraphs, list items and tables of a text box, and what stands beside these."""
        for block in _blocks(box, "p", "tbl"):
            if local(block) == "tbl":
                yield table(self._rows(block))
            else:
                text = self._texts.of(block).strip()
                label, level = self._label(block) if text else ("", 0)
                yield item(text, label, level) if label else literal(text)
        yield from self._beside()

    def _label(self, paragraph: Any) -> tuple[str, int]:
        """The label of a paragraph of a list (empty: it is of none) and its level."""
        kind = self._styles.kind(child(paragraph, "pPr"))
        label = self._numbering.label(kind.list_id, kind.list_level) if kind.list_id else ""
        return label, kind.list_level

    def _rows(self, element: Any) -> list[list[str]]:
        """The rows of a table: a cell that spans columns or rows has its text in its top-left field alone."""
        return [self._row(each) for each in _blocks(element, "tr")]

    def _row(self, element: Any) -> list[str]:
        before = whole_number(attribute(child(element, "trPr", "gridBefore"), "val"))
        cells = [""] * max(0, min(before, MAX_SPAN))
        for each in _blocks(element, "tc"):
            properties = child(each, "tcPr")
            merged = child(properties, "vMerge")
            covered = merged is not None and attribute(merged, "val") != "restart"
            span = whole_number(attribute(child(properties, "gridSpan"), "val"), 1)
            cells += ["" if covered else self._cell(each), *[""] * (max(1, min(span, MAX_SPAN)) - 1)]
        return cells

    def _cell(self, element: Any) -> str:
        """The paragraphs of a cell; a table in it gives its cells, as Markdown holds no table in a table."""
        texts: list[str] = []
        for block in _blocks(element, "p", "tbl"):
            if local(block) == "tbl":
                texts += [" ".join(filter(None, row)) for row in self._rows(block)]
            else:
                text = self._texts.of(block).replace("$$", "$").strip()  # in a cell no formula is displayed
                label = self._label(block)[0] if text else ""
                texts.append(item(text, label, 0) if label else text)
        return "\n".join(filter(None, texts))


def item(text: str, label: str, level: int) -> str:
    """A list item: its label where Markdown knows it (`-`, `3.`, `3)`), else behind a dash."""
    known = label == BULLET or (label[:-1].isascii() and label[:-1].isdigit() and label[-1] in ".)")
    mark = label if known else f"- {label}"
    return f"{'    ' * level}{mark} {' '.join(text.split())}"


def _blocks(parent: Any, *names: str) -> Iterator[Any]:
    """The named elements in order, also those in content controls and in text that was inserted."""
    for each in parent if parent is not None else ():
        name = local(each)
        if name in names:
            yield each
        elif name in _AROUND_BLOCKS:
            yield from _blocks(each, *names)


def _only_cell(element: Any) -> Any:
    """The cell of a table that has but one; None for other tables."""
    cells = (cell for row in _blocks(element, "tr") for cell in _blocks(row, "tc"))
    found = list(islice(cells, 2))
    return found[0] if len(found) == 1 else None
