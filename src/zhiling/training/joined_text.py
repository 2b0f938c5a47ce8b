"""An input as one text, and the way between a place in it and a place in its messages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from zhiling.rows.target import Place, Relations
from zhiling.training.inputs import SHOWN, Input


def ends_of(truth: Relations) -> Iterator[tuple[Place, str]]:
    """Place and type of each subject and object of the triples, in order, as far as they have a place."""
    for each in truth.relations:
        for place, kind in ((each.subject_place, each.subject_type), (each.object_place, each.object_type)):
            if place is not None:
                yield place, kind or "entity"


@dataclass(frozen=True)
class JoinedText:
    """The shown messages of an input, one under another."""

    text: str
    messages: tuple[int, ...]
    """Their numbers among all messages."""
    starts: tuple[int, ...]
    """Where each begins in `text`."""

    @classmethod
    def of(cls, turns: Input) -> Self:
        """The messages of users and documents, joined by line breaks."""
        shown = [(number, turn.text) for number, turn in enumerate(turns) if turn.role in SHOWN]
        starts: list[int] = []
        length = 0
        for _, text in shown:
            starts.append(length)
            length += len(text) + 1
        return cls("\n".join(text for _, text in shown), tuple(number for number, _ in shown), tuple(starts))

    def place(self, start: int, end: int) -> Place:
        """Where a piece of the text stands in the messages."""
        found = bisect_right(self.starts, start) - 1
        offset = self.starts[found]
        return Place(message=self.messages[found], start=start - offset, end=end - offset)

    def span(self, place: Place) -> tuple[int, int]:
        """Where a place in the messages stands in the text.

        Raises:
            ValueError: its message is not shown.
        """
        offset = self.starts[self.messages.index(place.message)]
        return offset + place.start, offset + place.end
