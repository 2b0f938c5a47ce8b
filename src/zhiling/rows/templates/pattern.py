"""The little language of prompts: `{slot}` is filled, `[[name| … ]]` stands only where `name` is there.

    Text: {text}[[none| If nothing fits, answer {none}.]]

`name` is a slot with a value, or a flag of the row (`multi`, `single`, `none`, `range`). Nothing else is
special, so braces of JSON and single brackets stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from zhiling.errors import UsageError

FLAGS = frozenset({"multi", "single", "none", "range"})
"""Conditions that the row decides: several labels or one, a reply may be empty, a score has bounds."""

_TOKEN = re.compile(r"\[\[([a-z_]+)\|(.*?)\]\]", re.DOTALL)
_SLOT = re.compile(r"\{([a-z_]+)\}")


class Piece(NamedTuple):
    """A text with the places where messages of the example stand in it."""

    text: str
    places: tuple[tuple[int, int], ...] = ()
    """(index of the message in the example, where it starts)."""


@dataclass(frozen=True)
class Segment:
    """A part of a pattern: literals and slots in turn, beginning and ending with a literal."""

    condition: str | None
    literals: tuple[str, ...]
    slots: tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """A compiled prompt."""

    source: str
    segments: tuple[Segment, ...]

    @property
    def slots(self) -> frozenset[str]:
        """Every slot that the pattern has."""
        return frozenset(slot for segment in self.segments for slot in segment.slots)

    @property
    def required(self) -> frozenset[str]:
        """Slots that must have a value."""
        return frozenset(
            slot for segment in self.segments if segment.condition is None for slot in segment.slots
        )

    @property
    def conditions(self) -> frozenset[str]:
        """What its parts depend on."""
        return frozenset(segment.condition for segment in self.segments if segment.condition)

    def fill(self, values: Mapping[str, Piece], flags: Collection[str] = ()) -> Piece:
        """The text, and where the messages inside the values stand now.

        Raises:
            KeyError: a slot outside a condition has no value.
        """
        parts: list[str] = []
        places: list[tuple[int, int]] = []
        length = 0
        for segment in self.segments:
            condition, literals = segment.condition, segment.literals
            if condition is not None and condition not in (flags if condition in FLAGS else values):
                continue
            parts.append(literals[0])
            length += len(literals[0])
            for slot, literal in zip(segment.slots, literals[1:], strict=True):
                value = values[slot]
                parts += (value.text, literal)
                if value.places:
                    places += [(message, length + start) for message, start in value.places]
                length += len(value.text) + len(literal)
        return Piece("".join(parts), tuple(places))


def compiled(source: str, place: str) -> Pattern:
    """The pattern of a text.

    Raises:
        UsageError: a condition in a condition, or two slots that touch (no reader could tell them apart).
    """
    segments: list[Segment] = []
    done = 0
    for found in _TOKEN.finditer(source):
        segments += _segments(None, source[done : found.start()])
        segments += _segments(found[1], found[2])
        done = found.end()
    segments += _segments(None, source[done:])
    pattern = Pattern(source, tuple(segments))
    _check(pattern, place)
    return pattern


def _segments(condition: str | None, text: str) -> list[Segment]:
    if not text:
        return []
    pieces = _SLOT.split(text)
    return [Segment(condition, tuple(pieces[::2]), tuple(pieces[1::2]))]


def _check(pattern: Pattern, place: str) -> None:
    for segment in pattern.segments:
        if any("[[" in literal or "]]" in literal for literal in segment.literals):
            raise UsageError(
                f"unbalanced or nested [[ ]] in {pattern.source!r:.80}", place=place,
                hint="a condition is written [[name| text ]] and holds no other condition",
            )  # fmt: skip
    touching = re.search(r"\}(?:\]\])?(?:\[\[[a-z_]+\|)?\{[a-z_]+\}", pattern.source)
    if touching:
        raise UsageError(
            f"two slots touch in {pattern.source!r:.80}", place=place,
            hint="put a word, a line break or a mark between them",
        )  # fmt: skip
