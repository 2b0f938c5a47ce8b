"""What a reply refers to: texts, labels, options; where words stand in the texts, and how that is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from zhiling.rows import target
from zhiling.rows.templates.spelling import Cell, Mention, Unparsed

At = tuple[int, int]
"""A place: index of the message, offset in code points."""


class Unfit(ValueError):
    """An example that no reply of this kind can tell exactly.

    Attributes:
        cls: a short snake_case class.
    """

    def __init__(self, cls: str, message: str) -> None:
        self.cls = cls
        super().__init__(message)


@dataclass(frozen=True)
class View:
    """What a reply refers to.

    Attributes:
        passages: texts of the example in the order of its messages: (index of the message, text).
        words: label → its name in the prompt; labels that are not in it stand for themselves.
        listed: names in the prompt → labels; None where every name is one.
        multi: whether a row may have several labels.
        placed: whether the truth tells places.
        options: texts of the options.
    """

    passages: Sequence[tuple[int, str]] = ()
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    listed: Mapping[str, str] | None = None
    multi: bool = False
    placed: bool = False
    options: Sequence[str] = ()

    def occurrences(self, words: str, start: At = (-1, 0)) -> Iterator[At]:
        """Where these words stand, from a place on."""
        for message, text in self.passages:
            if message < start[0] or not words:
                continue
            at = text.find(words, start[1] if message == start[0] else 0)
            while at >= 0:
                yield message, at
                at = text.find(words, at + 1)

    def nth(self, words: str, number: int) -> At | None:
        """The occurrence of this number, from 1."""
        return next((at for count, at in enumerate(self.occurrences(words), 1) if count == number), None)

    def number(self, words: str, place: At) -> int:
        """Which occurrence stands at this place.

        Raises:
            Unfit: none does.
        """
        for count, at in enumerate(self.occurrences(words), 1):
            if at == place:
                return count
        raise Unfit("place_differs", f"{words!r:.60} does not stand at {place[1]} of message {place[0]}")

    def text(self, place: target.Place) -> str:
        """The words at a place."""
        text = next((text for message, text in self.passages if message == place.message), "")
        if not 0 <= place.start < place.end <= len(text):
            raise Unfit("place_outside", f"no text at {place.start}–{place.end} of message {place.message}")
        return text[place.start : place.end]

    def label(self, name: str) -> str | None:
        """The label of a name as a reply spells it; case and spaces count only where they must."""
        if self.listed is None or name in self.listed:
            return name if self.listed is None else self.listed[name]
        folded = " ".join(name.split()).casefold()
        alike = {label for word, label in self.listed.items() if " ".join(word.split()).casefold() == folded}
        return alike.pop() if len(alike) == 1 else None


def told_mention(words: str, place: target.Place | None, view: View, *, placed: bool) -> Mention:
    """Words with the mark that they need; `placed` says that the truth tells places.

    Raises:
        Unfit: other words stand at the place.
    """
    if not placed:
        return Mention(words)
    first = next(view.occurrences(words), None)
    if place is None:
        return Mention(words, None if first is None else 0)
    if view.text(place) != words:
        raise Unfit("place_differs", f"{view.text(place)!r:.60} stands at the place of {words!r:.60}")
    at = (place.message, place.start)
    return Mention(words, None if first == at else view.number(words, at))


def found_mention(cell: Cell, view: View) -> target.Place | Unparsed | None:
    """The place of a mention; None where the truth tells none or the words do not stand in the text."""
    words, nth = mention_of(cell)
    if not view.placed or nth == 0:
        return None
    if nth is None:
        place = next(view.occurrences(words), None)
        return None if place is None else _place(place, words)
    place = view.nth(words, nth)
    if place is None:
        return Unparsed("not_in_text", f"the text has no occurrence {nth} of {words!r:.60}")
    return _place(place, words)


def _place(at: At, words: str) -> target.Place:
    return target.Place(message=at[0], start=at[1], end=at[1] + len(words))


def mention_of(cell: Cell) -> Mention:
    """A value as words of the text."""
    return cell if isinstance(cell, Mention) else Mention(cell)


def word_of(cell: Cell) -> str:
    """The words of a value."""
    return cell if isinstance(cell, str) else cell.text
