"""How a value is spelled in a reply: plainly where only one reading is possible, else as a JSON string."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

QUOTED = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
"""A JSON string, as a regular expression."""

MARK = re.compile(r" \[(\d{1,9})\]$")
"""Which occurrence in the text is meant: ` [2]` is the second."""

_REMEMBERED = 2000  # spellings that are kept
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\u200b-\u200f]")


class Mention(NamedTuple):
    """Words of the text, and which of their occurrences is meant where the first one is not."""

    text: str
    nth: int | None = None
    """From 1; 0: words that the text holds, but that do not come from there; None: by the rule."""


Cell = str | Mention


class Unparsed(NamedTuple):
    """Why a reply could not be read. Never a guess in its place."""

    reason: str
    """no_answer, wrong_form, unknown_label, too_many_labels, not_in_text, not_a_number, unknown_choice."""
    detail: str


@dataclass(frozen=True)
class Spelling:
    """What a plainly written value may not hold in one kind of reply."""

    literals: tuple[str, ...]
    """Fixed texts that may follow a value: the first one that a reader meets ends it."""
    none: str | None = None
    """The word for an empty answer."""
    _known: dict[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)

    def plain(self, text: str) -> bool:
        """Whether the text can stand as it is."""
        return not (
            not text
            or text[0] == '"'
            or text != text.strip()
            or _UNPRINTABLE.search(text)
            or any((text + literal).find(literal) != len(text) for literal in self.literals)
            or MARK.search(text)
            or (self.none is not None and text.casefold() == self.none.casefold())
        )

    def spell(self, text: str) -> str:
        """The text, quoted where it must be; the names of labels come again and again."""
        spelled = self._known.get(text)
        if spelled is None:
            spelled = text if self.plain(text) else orjson.dumps(text).decode()
            if len(self._known) < _REMEMBERED:
                self._known[text] = spelled
        return spelled

    def spell_cell(self, cell: Cell) -> str:
        """A value or a mention; a mark follows the words."""
        if isinstance(cell, str):
            return self.spell(cell)
        spelled = self.spell(cell.text)
        return spelled if cell.nth is None else f"{spelled} [{cell.nth}]"


def unquoted(text: str) -> str | None:
    """The value of a plain or quoted spelling; None where a quoted one is broken."""
    if not text.startswith('"'):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
