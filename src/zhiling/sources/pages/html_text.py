"""HTML into sections: headings, paragraphs, lists, tables and code, without what a reader does not see.

Source: HTML Living Standard, section 4.9.12 (how cells form a table), for spans.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from zhiling.sources.pages.html_tree import BLOCKS, HEADINGS, Element, Text, tree
from zhiling.sources.pages.markdown_table import literal, table
from zhiling.sources.pages.passages import Document
from zhiling.sources.pages.sections import SectionBuilder

IGNORED = frozenset(
    {"script", "style", "nav", "template", "noscript", "svg", "iframe", "head", "title", "select", "button",
     "textarea", "object", "audio", "video", "canvas", "map", "datalist", "noframes"}
)  # fmt: skip
LISTS = frozenset({"ul", "ol", "menu", "dir"})
MAX_SPAN = 100  # rows or columns that a cell may cover
MAX_CELLS = 200_000  # fields of a table; spans must not make a small page large
_SPACE = re.compile(r"[ \t\r\n\f]+")
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_BREAKS = frozenset({"li", "dt", "dd", "tr", "td", "th", "caption", "legend", "option"}) | BLOCKS


def read_html(lines: Iterable[tuple[int, str]]) -> Document:
    """The document that these numbered lines hold; `<title>` gives its title, else the first heading."""
    root = tree("\n".join(line for _, line in lines))
    reader = _Reader()
    reader.flow(root.children)
    reader.close()
    return reader.builder.document(_title(root))


def table_of(page: str) -> str:
    """A table of HTML in Markdown; as it stands where there are headings in it."""
    document = read_html([(1, page)])
    if any(section.headings for section in document.sections):
        return page
    return "\n\n".join(text for section in document.sections for _, text in section.paragraphs)


class _Reader:
    """Walks over the elements and gathers the text between two blocks."""

    def __init__(self) -> None:
        self.builder = SectionBuilder()
        self._parts: list[str] = []
        self._line = 0  # of the first text of the paragraph

    def flow(self, children: Sequence[Element | Text]) -> None:
        """Takes what stands in a block."""
        for each in children:
            if isinstance(each, Text):
                self._text(each)
            elif _is_seen(each):
                self._element(each)

    def close(self) -> None:
        """Ends the paragraph that is open."""
        text, line = "".join(self._parts), self._line
        self._parts, self._line = [], 0
        self.builder.paragraph(literal(_tidy(text)), line)

    def _text(self, text: Text) -> None:
        if not self._line and text.value.strip():
            start = text.value[: len(text.value) - len(text.value.lstrip())]
            self._line = text.line + start.count("\n")
        self._parts.append(text.value if text.value == "\n" else _SPACE.sub(" ", text.value))

    def _element(self, element: Element) -> None:
        tag = element.tag
        if tag in HEADINGS:
            self.close()
            self.builder.heading(int(tag[1]), " ".join(inline(element).split()), _first_line(element))
        elif tag == "pre":
            self._block(_code(_verbatim(element)), element)
        elif tag == "table" and not _is_layout(element):
            for caption in (each for each in element.elements() if each.tag == "caption"):
                self._block(literal(_tidy(inline(caption))), caption)
            self._block(table(_grid(element)), element)
        elif tag in LISTS and not _holds(element, HEADINGS | {"table", "pre"}):
            self._block("\n".join(_items(element, 0)), element)
        elif tag == "blockquote" and not _holds(element, HEADINGS | {"table", "pre"}):
            self._block("\n".join(f"> {line}" for line in _lines(element)), element)
        elif tag in _BREAKS:
            self.close()
            self.flow(element.children)
            self.close()
        else:
            if mark := _mark(element):
                self._text(Text(mark, element.line))
            self.flow(element.children)

    def _block(self, text: str, element: Element) -> None:
        self.close()
        self.builder.paragraph(text, _first_line(element))


def inline(element: Element) -> str:
    """All texts below an element in one, blocks and line breaks parted by line ends."""
    return "".join(_pieces(element))


def _pieces(element: Element) -> Iterator[str]:
    for each in element.children:
        if isinstance(each, Text):
            yield _SPACE.sub(" ", each.value)
        elif each.tag in LISTS and _is_seen(each):
            yield "\n" + "\n".join(_items(each, 0)) + "\n"
        elif each.tag == "pre" and _is_seen(each):
            yield f"\n{_verbatim(each)}\n"
        elif _is_seen(each):
            edge = "\n" if each.tag in _BREAKS else ""
            yield edge + _mark(each)
            yield from _pieces(each)
            yield edge


def _mark(element: Element) -> str:
    """What an element shows by itself: a line end, a tick, the text that stands for a picture."""
    if element.tag == "br":
        return "\n"
    if element.tag == "img":
        return _SPACE.sub(" ", element.attribute("alt") or "")
    if element.tag == "input" and element.attribute("type") == "checkbox":
        return "[ ] " if element.attribute("checked") is None else "[x] "
    return ""


def _tidy(text: str) -> str:
    """The lines without blank ones and without space around them."""
    lines = (_SPACE.sub(" ", each).strip() for each in text.split("\n"))
    return "\n".join(filter(None, lines))


def _lines(element: Element) -> list[str]:
    return _tidy(inline(element)).split("\n")


def _items(element: Element, level: int) -> Iterator[str]:
    """The lines of a list; lists in it are indented."""
    number = _whole(element.attribute("start"), 1)
    for each in element.children:
        if isinstance(each, Text):
            yield from ([_indented(each.value.strip(), level)] if each.value.strip() else [])
        elif each.tag in LISTS and _is_seen(each):
            yield from _items(each, level + 1)
        elif _is_seen(each):
            number = _whole(each.attribute("value"), number)
            yield from _item(each, f"{number}." if element.tag == "ol" else "-", level)
            number += each.tag == "li"


def _item(element: Element, mark: str, level: int) -> Iterator[str]:
    own, nested = _parted(element)
    lines = [line for line in _tidy("".join(own)).split("\n") if line]
    if lines:
        yield _indented(f"{mark} {lines[0]}", level)
        yield from (_indented(f"{' ' * len(mark)} {line}", level) for line in lines[1:])
    for each in nested:
        yield from _items(each, level + 1 if lines else level)


def _parted(element: Element) -> tuple[list[str], list[Element]]:
    """The texts of an item, and the lists in it."""
    own: list[str] = []
    nested: list[Element] = []
    for each in element.children:
        if isinstance(each, Text):
            own.append(_SPACE.sub(" ", each.value))
        elif not _is_seen(each):
            continue
        elif each.tag in LISTS:
            nested.append(each)
        else:
            inner, lists = _parted(each)
            edge = "\n" if each.tag in _BREAKS else ""
            own += [edge, _mark(each), *inner, edge]
            nested += lists
    return own, nested


def _indented(text: str, level: int) -> str:
    return "    " * level + text


def _grid(element: Element) -> list[list[str]]:
    """The fields of a table: a cell that spans several has its text in the first."""
    rows: list[list[str]] = []
    covered: dict[tuple[int, int], bool] = {}
    fields = 0
    for index, row in enumerate(_rows(element)):
        cells: list[str] = []
        for each in row:
            while covered.pop((index, len(cells)), False):
                cells.append("")
            column = len(cells)
            wide, high = (
                max(1, min(_whole(each.attribute(name), 1), MAX_SPAN)) for name in ("colspan", "rowspan")
            )
            fields += wide * high
            if fields > MAX_CELLS:
                wide = high = 1
            covered |= {
                (index + down, column + right): True for down in range(1, high) for right in range(wide)
            }
            cells += [_tidy(inline(each)), *[""] * (wide - 1)]
        rows.append(cells)
    return rows


def _rows(element: Element) -> Iterator[list[Element]]:
    """The cells of each row, also of rows and cells whose surrounding tags are missing."""
    for each in element.elements():
        if not _is_seen(each):
            continue
        if each.tag in ("thead", "tbody", "tfoot"):
            yield from _rows(each)
        elif each.tag == "tr":
            yield [cell for cell in each.elements() if cell.tag in ("td", "th") and _is_seen(cell)]
        elif each.tag in ("td", "th"):
            yield [each]


def _is_layout(element: Element) -> bool:
    """Whether a table only arranges: it says so, or has a single cell."""
    if element.attribute("role") in ("presentation", "none"):
        return True
    return sum(map(len, _rows(element))) < 2


def _verbatim(element: Element) -> str:
    parts: list[str] = []
    for each in element.children:
        if isinstance(each, Text):
            parts.append(each.value)
        elif _is_seen(each):
            parts.append(_mark(each) + _verbatim(each))
    return "".join(parts)


def _code(text: str) -> str:
    """A fenced block of code, its fence longer than any in it."""
    stripped = text.strip("\n").rstrip()
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", stripped)), default=0))
    return f"{fence}\n{stripped}\n{fence}" if stripped.strip() else ""


def _is_seen(element: Element) -> bool:
    if element.tag in IGNORED or element.attribute("hidden") is not None:
        return False
    style = element.attribute("style") if "style" in element.source.lower() else None
    return not (style and _UNSEEN.search(style))


def _holds(element: Element, tags: frozenset[str]) -> bool:
    return any(each.tag in tags or _holds(each, tags) for each in element.elements())


def _first_line(element: Element) -> int:
    """The line of the first text below an element, else its own."""
    for each in element.children:
        if isinstance(each, Text):
            if each.value.strip():
                return each.line + each.value[: len(each.value) - len(each.value.lstrip())].count("\n")
        elif line := (_first_line(each) if _is_seen(each) and each.children else 0):
            return line
    return element.line


def _title(root: Element) -> str:
    """The text of the first `<title>` that is not a drawing's."""
    waiting = deque([root])
    while waiting:
        element = waiting.popleft()
        if element.tag == "title":
            return " ".join(inline(element).split())
        waiting += [each for each in element.elements() if each.tag != "svg"]
    return ""


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and _NUMBER.fullmatch(text.strip()) else default
