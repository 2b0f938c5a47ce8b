"""Word files into sections: headings by style or outline level, lists with their labels, tables, notes, formulas.

Text that was deleted or hidden, comments, and the headers and footers of pages are left out; inserted text is
in. A text box stands behind the paragraph that holds it, a footnote behind the paragraph that refers to it.
Places are pages where Word stored them when it last laid the document out, else paragraphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from typing import Any

from zhiling.sources.markdown_table import literal, table
from zhiling.sources.office.drawing import drawn
from zhiling.sources.office.formula import latex
from zhiling.sources.office.numbering import BULLET, Numbering
from zhiling.sources.office.package import (
    Package,
    attribute,
    child,
    children,
    descendants,
    local,
    whole_number,
)
from zhiling.sources.office.styles import Styles
from zhiling.sources.reading import Reading
from zhiling.sources.sections import SectionBuilder

MAX_SPAN = 100  # columns that a cell may cover
_WRAPPERS = frozenset({"ins", "moveTo", "smartTag", "customXml", "sdtContent", "hyperlink", "fldSimple",
                       "ruby", "rubyBase", "dir", "bdo"})  # fmt: skip
_CHARACTERS = {"tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_TICKS = {
    "F0FE": "☑",
    "F0FD": "☒",
    "F0A8": "☐",
    "F06F": "☐",
    "F0FC": "✓",
    "F0FB": "✗",
    "F0B7": "•",
}  # Wingdings


def read_docx(package: Package) -> Reading:
    """The document's title and sections.

    Raises:
        Unreadable: its main part is missing or broken.
    """
    return _Reader(package).read()


class _Reader:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._main = package.main()
        self._styles = Styles(package.tree(package.first(self._main, "styles")))
        self._numbering = Numbering(package.tree(package.first(self._main, "numbering")))
        self._notes = {kind: self._note_texts(kind) for kind in ("footnote", "endnote")}
        self._builder = SectionBuilder()
        self._list: list[str] = []  # the items of the list that is open
        self._list_at = ""
        self._behind: list[str] = []  # notes, boxes and charts of the paragraph that is read
        self._paragraph = 0
        self._page = 0  # 0: the file does not say
        self._text_page = 0  # where the first text of the block stands

    def read(self) -> Reading:
        body = child(self._package.tree(self._main), "body")
        self._page = int(next(descendants(body, "lastRenderedPageBreak"), None) is not None)
        self._take_all(body)
        self._close_list()
        return Reading(self._builder.document())

    def _take_all(self, parent: Any) -> None:
        """Takes the paragraphs and tables of the body, or of a table of one cell, which is but a frame."""
        for block in _blocks(parent):
            self._paragraph += local(block) == "p"
            self._text_page = 0
            if local(block) == "p":
                self._take_paragraph(block)
            elif (frame := _only_cell(block)) is not None:
                self._take_all(frame)
            else:
                self._take(table(self._rows(block)))
            self._take_behind()

    def _at(self) -> str:
        return f"page {self._text_page or self._page}" if self._page else f"paragraph {self._paragraph}"

    def _take_paragraph(self, element: Any) -> None:
        kind = self._styles.kind(child(element, "pPr"))
        text = self._inline(element).strip()
        at = self._at()
        if not text:
            return  # Word counts no empty paragraph either
        label = self._numbering.label(kind.list_id, kind.list_level) if kind.list_id else ""
        if kind.heading is not None:
            self._close_list()
            heading = " ".join(f"{label if label != BULLET else ''} {text}".split())
            self._builder.heading(kind.heading, heading, at)
        elif label:
            self._list_at = self._list_at or at
            self._list.append(item(text, label, kind.list_level))
        else:
            self._take(literal(text), at)

    def _take(self, text: str, at: str = "") -> None:
        self._close_list()
        self._builder.paragraph(text, at or self._at())

    def _take_behind(self) -> None:
        behind, self._behind = self._behind, []
        for text in behind:
            self._take(text)

    def _close_list(self) -> None:
        if self._list:
            self._builder.paragraph("\n".join(self._list), self._list_at)
        self._list, self._list_at = [], ""

    def _inline(self, element: Any) -> str:
        return "".join(map(self._piece, element))

    def _piece(self, element: Any) -> str:
        name = local(element)
        if name in _WRAPPERS:
            return self._inline(element)
        piece = _PIECES.get(name)
        return piece(self, element) if piece else ""

    def run(self, element: Any) -> str:
        properties = child(element, "rPr")
        hidden = child(properties, "vanish")
        if hidden is not None and attribute(hidden, "val", "1") not in ("0", "false"):
            return ""
        return self._inline(element)

    def text(self, element: Any) -> str:
        self._text_page = self._text_page or self._page
        return element.text or ""

    def character(self, element: Any) -> str:
        return _CHARACTERS[local(element)]

    def control(self, element: Any) -> str:
        """A content control; a box to tick as Markdown writes it."""
        tick = child(element, "sdtPr", "checkbox")
        if tick is None:
            return self._inline(element)
        return "[x]" if attribute(child(tick, "checked"), "val") in ("1", "true") else "[ ]"

    def line_break(self, element: Any) -> str:
        return "" if attribute(element, "type") in ("page", "column") else "\n"

    def symbol(self, element: Any) -> str:
        code = attribute(element, "char").upper()
        return _TICKS.get(code, "")

    def page_break(self, _: Any) -> str:
        self._page += 1
        return ""

    def formula(self, element: Any) -> str:
        return f"${written}$" if (written := latex(element)) else ""

    def formulas(self, element: Any) -> str:
        return " ".join(f"$${written}$$" for each in children(element, "oMath") if (written := latex(each)))

    def note(self, element: Any) -> str:
        kind, id = local(element).removesuffix("Reference"), attribute(element, "id")
        text = self._notes[kind].pop(id, "")
        mark = f"[^{id}]" if kind == "footnote" else f"[^e{id}]"
        if text:
            self._behind.append(f"{mark}: {text}")
        return mark

    def _note_texts(self, kind: str) -> dict[str, str]:
        root = self._package.tree(self._package.first(self._main, f"{kind}s"))
        return {
            attribute(each, "id"): " ".join("".join(self._plain(each)).split())
            for each in children(root, kind)
            if attribute(each, "type") in ("", "normal")
        }

    def _plain(self, element: Any) -> Iterator[str]:
        for each in descendants(element, "t", "tab", "br", "p"):
            yield (each.text or "") if local(each) == "t" else " "

    def alternative(self, element: Any) -> str:
        """The first choice; the fallback, made for older programs, where that gives nothing."""
        before = len(self._behind)
        for option in (child(element, "Choice"), child(element, "Fallback")):
            text = self._inline(option) if option is not None else ""
            if text or len(self._behind) > before:
                return text
        return ""

    def drawing(self, element: Any) -> str:
        """Text boxes and charts go behind the paragraph; pictures hold no text."""
        for box in descendants(element, "txbxContent"):
            if not _is_inside(box, element, ("txbxContent", "Fallback")):
                self._behind += self._boxed(box)
        self._behind += drawn(self._package, self._main, element)
        return ""

    def _boxed(self, box: Any) -> list[str]:
        """The paragraphs and tables of a text box, and then what stands behind these."""
        outer, self._behind = self._behind, []
        found = [text for text in self._contents(box) if text]
        inner, self._behind = self._behind, outer
        return [*found, *inner]

    def _contents(self, parent: Any) -> Iterator[str]:
        """What stands in a box: paragraphs, list items with their label, tables."""
        for block in _blocks(parent):
            if local(block) == "tbl":
                yield table(self._rows(block))
                continue
            text = self._inline(block).strip()
            label, level = self._label(block) if text else ("", 0)
            yield item(text, label, level) if label else literal(text)

    def _label(self, paragraph: Any) -> tuple[str, int]:
        """The label of a paragraph of a list (empty: it is of none) and its level."""
        kind = self._styles.kind(child(paragraph, "pPr"))
        return self._numbering.label(kind.list_id, kind.list_level) if kind.list_id else "", kind.list_level

    def _rows(self, element: Any) -> list[list[str]]:
        """The rows of a table: a cell that spans columns or rows has its text in its top-left cell alone."""
        rows: list[list[str]] = []
        for row in _blocks(element, "tr"):
            before = whole_number(attribute(child(row, "trPr", "gridBefore"), "val"))
            cells = [""] * max(0, min(before, MAX_SPAN))
            for each in _blocks(row, "tc"):
                properties = child(each, "tcPr")
                merged = child(properties, "vMerge")
                covered = merged is not None and attribute(merged, "val") != "restart"
                span = whole_number(attribute(child(properties, "gridSpan"), "val"), 1)
                cells += ["" if covered else self._cell(each), *[""] * (max(1, min(span, MAX_SPAN)) - 1)]
            rows.append(cells)
        return rows

    def _cell(self, element: Any) -> str:
        """The paragraphs of a cell; a table in it gives its cells, as Markdown holds no table in a table."""
        texts: list[str] = []
        for block in _blocks(element):
            if local(block) == "tbl":
                texts += [" ".join(filter(None, row)) for row in self._rows(block)]
            else:
                text = (
                    self._inline(block).replace("$$", "$").strip()
                )  # a formula cannot be displayed in a cell
                label = self._label(block)[0] if text else ""
                texts.append(item(text, label, 0) if label else text)
        return "\n".join(filter(None, texts))


_PIECES: dict[str, Callable[[_Reader, Any], str]] = {
    "r": _Reader.run,
    "t": _Reader.text,
    **dict.fromkeys(_CHARACTERS, _Reader.character),
    "br": _Reader.line_break,
    "sym": _Reader.symbol,
    "sdt": _Reader.control,
    "lastRenderedPageBreak": _Reader.page_break,
    "oMath": _Reader.formula,
    "oMathPara": _Reader.formulas,
    "footnoteReference": _Reader.note,
    "endnoteReference": _Reader.note,
    "AlternateContent": _Reader.alternative,
    "drawing": _Reader.drawing,
    "pict": _Reader.drawing,
    "object": _Reader.drawing,
}


def item(text: str, label: str, level: int) -> str:
    """A list item: its label where Markdown knows it (`-`, `3.`, `3)`), else behind a dash."""
    known = label == BULLET or (label[:-1].isascii() and label[:-1].isdigit() and label[-1] in ".)")
    mark = label if known else f"- {label}"
    return f"{'    ' * level}{mark} {' '.join(text.split())}"


def _blocks(parent: Any, *names: str) -> Iterator[Any]:
    """Paragraphs and tables (or the named elements) in order, also those in content controls and changes."""
    for each in parent if parent is not None else ():
        name = local(each)
        if name in (names or ("p", "tbl")):
            yield each
        elif name in ("sdt", "sdtContent", "ins", "moveTo", "customXml"):
            yield from _blocks(each, *names)


def _only_cell(element: Any) -> Any:
    """The cell of a table that has but one; None for other tables."""
    cells = list(islice((cell for row in _blocks(element, "tr") for cell in _blocks(row, "tc")), 2))
    return cells[0] if len(cells) == 1 else None


def _is_inside(element: Any, within: Any, names: tuple[str, ...]) -> bool:
    """Whether one of the named elements stands between the two."""
    between = takewhile(lambda ancestor: ancestor is not within, element.iterancestors())
    return any(local(ancestor) in names for ancestor in between)
