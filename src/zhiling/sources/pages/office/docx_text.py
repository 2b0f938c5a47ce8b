"""The text of a paragraph of Word, and what it carries that stands beside it: notes, text boxes, charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

from zhiling.sources.pages.office.drawing import drawn
from zhiling.sources.pages.office.formula import latex
from zhiling.sources.pages.office.package import Package, attribute, child, children, descendants, local
from zhiling.sources.pages.reading import Unreadable

_WRAPPERS = frozenset(
    {"ins", "moveTo", "smartTag", "customXml", "sdtContent", "hyperlink", "fldSimple", "ruby", "rubyBase",
     "dir", "bdo"}
)  # fmt: skip
_CHARACTERS = {"tab": "\t", "ptab": "\t", "cr": "\n", "noBreakHyphen": "-"}
_WINGDINGS = {"F0FE": "☑", "F0FD": "☒", "F0A8": "☐", "F06F": "☐", "F0FC": "✓", "F0FB": "✗", "F0B7": "•"}


class Texts:
    """Texts of the paragraphs of a document, asked for in their order.

    Attributes:
        page: the page that was reached; 0 where the file does not tell pages.
        first_page: the page of the first text since it was last set to 0.
        problems: notes and drawings that could not be read.
    """

    def __init__(self, package: Package, part: str, *, has_pages: bool) -> None:
        self._package, self._part = package, part
        self.page, self.first_page = int(has_pages), 0
        self.problems: list[Unreadable] = []
        self._notes = {kind: self._read_notes(kind) for kind in ("footnote", "endnote")}
        self._beside: list[Any] = []

    def of(self, element: Any) -> str:
        """The text of a paragraph or of a part of it, without what was deleted or is hidden."""
        return "".join(map(self._piece, element))

    def beside(self) -> list[Any]:
        """What the texts read since the last call carry: texts, and boxes (`txbxContent` elements)."""
        found, self._beside = self._beside, []
        return found

    def _piece(self, element: Any) -> str:
        name = local(element)
        if name in _WRAPPERS:
            return self.of(element)
        piece = _PIECES.get(name)
        return piece(self, element) if piece else ""

    def run(self, element: Any) -> str:
        """The text of a run; none where it is hidden."""
        hidden = child(element, "rPr", "vanish")
        if hidden is not None and attribute(hidden, "val", "1") not in ("0", "false"):
            return ""
        return self.of(element)

    def text(self, element: Any) -> str:
        """The characters of a `t`."""
        self.first_page = self.first_page or self.page
        return element.text or ""

    def character(self, element: Any) -> str:
        """A tab, a hyphen, a line end."""
        return _CHARACTERS[local(element)]

    def line_break(self, element: Any) -> str:
        """A line end; a new page or column is none."""
        return "" if attribute(element, "type") in ("page", "column") else "\n"

    def page_break(self, _: Any) -> str:
        """Nothing; Word began a page here when it last laid the document out."""
        self.page += 1
        return ""

    def symbol(self, element: Any) -> str:
        """A sign of the font Wingdings that Unicode has too."""
        return _WINGDINGS.get(attribute(element, "char").upper(), "")

    def control(self, element: Any) -> str:
        """A content control; a box to tick as Markdown writes it."""
        tick = child(element, "sdtPr", "checkbox")
        if tick is None:
            return self.of(element)
        return "[x]" if attribute(child(tick, "checked"), "val") in ("1", "true") else "[ ]"

    def formula(self, element: Any) -> str:
        """LaTeX in the line."""
        return f"${written}$" if (written := latex(element)) else ""

    def formulas(self, element: Any) -> str:
        """LaTeX on lines of its own."""
        return " ".join(f"$${written}$$" for each in children(element, "oMath") if (written := latex(each)))

    def note(self, element: Any) -> str:
        """The mark of a foot- or endnote, as Markdown writes it."""
        kind, id = local(element).removesuffix("Reference"), attribute(element, "id")
        mark = f"[^{id}]" if kind == "footnote" else f"[^e{id}]"
        if text := self._notes[kind].pop(id, ""):
            self._beside.append(f"{mark}: {text}")
        return mark

    def alternative(self, element: Any) -> str:
        """The first choice; the fallback, made for older programs, where that gives nothing."""
        before = len(self._beside)
        for option in (child(element, "Choice"), child(element, "Fallback")):
            text = self.of(option) if option is not None else ""
            if text or len(self._beside) > before:
                return text
        return ""

    def drawing(self, element: Any) -> str:
        """Nothing; its text boxes and charts stand beside the paragraph, pictures hold no text."""
        boxes = descendants(element, "txbxContent")
        self._beside += [box for box in boxes if not _is_inside(box, element, ("txbxContent", "Fallback"))]
        texts, problems = drawn(self._package, self._part, element)
        self._beside += texts
        self.problems += problems
        return ""

    def _read_notes(self, kind: str) -> dict[str, str]:
        try:
            root = self._package.tree(self._package.first(self._part, f"{kind}s"))
        except Unreadable as problem:
            self.problems.append(problem.at(f"{kind}s"))
            return {}
        return {
            attribute(each, "id"): " ".join("".join(_plain(each)).split())
            for each in children(root, kind)
            if attribute(each, "type") in ("", "normal")
        }


_PIECES: dict[str, Callable[[Texts, Any], str]] = {
    "r": Texts.run,
    "t": Texts.text,
    **dict.fromkeys(_CHARACTERS, Texts.character),
    "br": Texts.line_break,
    "lastRenderedPageBreak": Texts.page_break,
    "sym": Texts.symbol,
    "sdt": Texts.control,
    "oMath": Texts.formula,
    "oMathPara": Texts.formulas,
    "footnoteReference": Texts.note,
    "endnoteReference": Texts.note,
    "AlternateContent": Texts.alternative,
    "drawing": Texts.drawing,
    "pict": Texts.drawing,
    "object": Texts.drawing,
}


def _plain(element: Any) -> Iterator[str]:
    for each in descendants(element, "t", "tab", "br", "p"):
        yield (each.text or "") if local(each) == "t" else " "


def _is_inside(element: Any, within: Any, names: tuple[str, ...]) -> bool:
    """Whether one of the named elements stands between the two."""
    between = takewhile(lambda ancestor: ancestor is not within, element.iterancestors())
    return any(local(ancestor) in names for ancestor in between)
