"""What a paragraph of Word is: a title, a heading of some level, an item of a list, or text.

A style says so by its name (`heading 1` in every language of Word), by an outline level, or through the
style that it is based on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from zhiling.sources.pages.office.package import attribute, child, children, whole_number

MAX_BASES = 20  # styles may be based on each other in a circle
_HEADING = re.compile(r"heading (\d)")


@dataclass(frozen=True)
class Kind:
    """What a paragraph is.

    Attributes:
        heading: its level, 0 for the title; None: it is none.
        list_id: of the list that it belongs to; empty: to none.
        list_level: from 0.
    """

    heading: int | None
    list_id: str
    list_level: int


class Styles:
    """The styles of a document."""

    def __init__(self, root: Any) -> None:
        self._styles = {attribute(each, "styleId"): each for each in children(root, "style")}
        self._default = next(
            (
                attribute(each, "styleId")
                for each in self._styles.values()
                if attribute(each, "type") == "paragraph" and attribute(each, "default") in ("1", "true")
            ),
            "",
        )
        self._known: dict[str, Kind] = {}

    def kind(self, properties: Any) -> Kind:
        """What a paragraph with these properties (`pPr`, or None) is."""
        style = attribute(child(properties, "pStyle"), "val", self._default)
        if style not in self._known:
            self._known[style] = self._of_style(style)
        inherited = self._known[style]
        return _joined(inherited, properties) if properties is not None else inherited

    def _of_style(self, id: str) -> Kind:
        chain: list[Any] = []
        while id in self._styles and len(chain) < MAX_BASES:
            chain.append(self._styles[id])
            id = attribute(child(chain[-1], "basedOn"), "val")
        kind = Kind(None, "", 0)
        for style in reversed(chain):
            kind = _joined(kind, child(style, "pPr"))
            name = attribute(child(style, "name"), "val").casefold()
            heading = _HEADING.fullmatch(name)
            if heading or name == "title":
                kind = Kind(int(heading[1]) if heading else 0, kind.list_id, kind.list_level)
        return kind


def _joined(base: Kind, properties: Any) -> Kind:
    """The kind with what these properties say in addition."""
    outline, numbering = child(properties, "outlineLvl"), child(properties, "numPr")
    heading, list_id, list_level = base.heading, base.list_id, base.list_level
    if outline is not None:
        level = whole_number(attribute(outline, "val"), 9)
        heading = level + 1 if 0 <= level < 9 else None
    if numbering is not None:
        given = attribute(child(numbering, "numId"), "val")
        list_id = "" if given == "0" else given or list_id
        list_level = whole_number(attribute(child(numbering, "ilvl"), "val"), list_level)
    return Kind(heading, list_id, max(0, min(list_level, 8)))
