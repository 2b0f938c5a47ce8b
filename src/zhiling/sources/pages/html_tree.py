"""The elements of an HTML page as a tree, whatever is broken in it: no text is lost, no tag costs much.

Source: HTML Living Standard, section 13.2.6 (tree construction), for the end tags that may be left out and
for what an end tag closes.
Deviation: formatting elements are not reopened, and text between table rows stays where it is. Elements
deeper than MAX_DEPTH have no node of their own; what they hold belongs to the one around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple

from zhiling.sources.pages.markup import tokens

MAX_DEPTH = 150
VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
BLOCKS = frozenset(
    {
        "p",
        "div",
        "section",
        "article",
        "main",
        "header",
        "footer",
        "aside",
        "nav",
        "ul",
        "ol",
        "menu",
        "dl",
        "table",
    }
    | {"pre", "blockquote", "figure", "figcaption", "form", "hr", "address", "details", "summary", "fieldset"}
    | {"body", "html", "hgroup", "center", "dir", "search", *HEADINGS}
)
_CELLS = frozenset({"td", "th"})
_ROWS = frozenset({"tr", *_CELLS, "caption", "colgroup"})
_GROUPS = frozenset({"thead", "tbody", "tfoot", *_ROWS})
_LISTS = frozenset({"ul", "ol", "menu", "dir"})
_CELL_WALLS = frozenset({"td", "th", "caption", "table", "html", "body"})

# start tag → (open elements that it ends, elements beyond which none is ended)
_ENDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), _LISTS | {"table"}),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd"}), frozenset({"dl", "table"}))),
    **dict.fromkeys(_CELLS, (_CELLS, frozenset({"tr", "table"}))),
    "tr": (_ROWS, frozenset({"table"})),
    **dict.fromkeys(("thead", "tbody", "tfoot"), (_GROUPS, frozenset({"table"}))),
    **dict.fromkeys(HEADINGS, (HEADINGS | {"p"}, _CELL_WALLS)),
    "option": (frozenset({"option"}), frozenset({"select"})),
    "body": (frozenset({"head"}), frozenset()),
}
_PARAGRAPH = (frozenset({"p"}), _CELL_WALLS)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?")


class Text(NamedTuple):
    """A text and the line where it begins."""

    value: str
    line: int


@dataclass
class Element:
    """A tag in lower case, the source of its attributes, what it holds, and the line where it begins."""

    tag: str
    source: str = ""
    line: int = 1
    children: list[Element | Text] = field(default_factory=list)

    def attribute(self, name: str) -> str | None:
        """The value of an attribute; empty where it has none; None where the attribute is not there."""
        for match in _ATTRIBUTE.finditer(self.source):
            if match[1].lower() == name:
                return unescape((match[2] or "").strip("\"'"))
        return None

    def elements(self) -> Iterable[Element]:
        """The elements right below it."""
        return (each for each in self.children if isinstance(each, Element))


def tree(content: str) -> Element:
    """The root, above `html`."""
    builder = _Builder()
    for token in tokens(content):
        if token.kind == "text":
            builder.open[-1].children.append(Text(token.value, token.line))
        elif token.kind == "start":
            builder.start(Element(token.value, token.source, token.line))
        else:
            builder.end(token.value)
    return builder.open[0]


class _Builder:
    def __init__(self) -> None:
        self.open = [Element("")]

    def start(self, element: Element) -> None:
        if ends := _ENDS.get(element.tag):
            self._close(*ends)
        elif element.tag in BLOCKS:
            self._close(*_PARAGRAPH)
        self.open[-1].children.append(element)
        if element.tag not in VOID and len(self.open) < MAX_DEPTH:
            self.open.append(element)

    def end(self, tag: str) -> None:
        """Closes the nearest such element; one outside of the cell that is open is not meant."""
        tags = HEADINGS if tag in HEADINGS else frozenset({tag})
        self._close(tags, frozenset({"table"}) if tag in _GROUPS else _CELL_WALLS, innermost=True)

    def _close(self, tags: frozenset[str], walls: frozenset[str], *, innermost: bool = False) -> None:
        """Closes the outermost (or innermost) open element of these tags that stands within the walls."""
        found = 0
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag in tags:
                found = depth
                if innermost:
                    break
            elif self.open[depth].tag in walls:
                break
        if found:
            del self.open[found:]
