"""The hand-written conversations as tickets, and as the lines of a help desk's export."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from zhiling.rows.evaluation_file import read_records

Speaker = Literal["customer", "agent"]
Item = TypeVar("Item")

LANGUAGES = ("zh", "en")
PUNCTUATION = frozenset("，。、；：？！“”‘’（）《》…—·,.;:?!\"'()[]<>/-–+%&@")

_SPEAKERS: Mapping[str, Speaker] = {"c": "customer", "a": "agent"}
_FIRST_DAY = datetime(2026, 2, 2, 8, tzinfo=UTC)
_TICKETS_A_DAY, _MINUTES_APART = 60, 14
_FIRST_NUMBER = 10_400


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    speaker: Speaker
    text: str


@dataclass(frozen=True)
class Ticket:
    """A conversation with what the help desk noted about it."""

    intent: str
    language: str
    resolved: bool
    rating: int | None
    turns: tuple[Turn, ...]

    @property
    def text(self) -> str:
        """All turns, one a line."""
        return "\n".join(turn.text for turn in self.turns)

    def say(self, turn: int, text: str) -> Ticket:
        """The ticket with another text in one turn."""
        turns = (*self.turns[:turn], replace(self.turns[turn], text=text), *self.turns[turn + 1 :])
        return replace(self, turns=turns)

    def spoken_by(self, speaker: Speaker) -> list[int]:
        """The numbers of this speaker's turns."""
        return [number for number, turn in enumerate(self.turns) if turn.speaker == speaker]


@dataclass(frozen=True)
class Planted:
    """A defect: its kind, the turn that carries it, what it hides or copies, and which variety it is."""

    defect: str
    turn: int
    of: str
    detail: str = ""


@dataclass
class Entry:
    """A ticket under its number in the export.

    Attributes:
        number: of the ticket; the later, the higher.
        ticket: the ticket as it will be written.
        planted: its defect, if it has one.
        copied: a copy of it is in the export, so it must stay as it is.
    """

    number: int
    ticket: Ticket
    planted: Planted | None = None
    copied: bool = False

    @property
    def id(self) -> str:
        """The conversation's id."""
        return f"T-{self.number:06d}"

    @property
    def clean(self) -> bool:
        """True while nothing was done to the ticket."""
        return self.planted is None and not self.copied


@dataclass(frozen=True)
class Question:
    """A line of the evaluation file."""

    line: int
    text: str
    label: str
    language: str


@dataclass
class Desk:
    """All tickets of an export, and the numbers that are still free between them."""

    entries: list[Entry]
    questions: Sequence[Question]
    free: list[int] = field(default_factory=list)

    def clean(self, language: str) -> list[Entry]:
        """Entries of a language to which nothing was done."""
        return [entry for entry in self.entries if entry.ticket.language == language and entry.clean]

    def add(self, ticket: Ticket, planted: Planted) -> None:
        """A further ticket under the next free number."""
        self.entries.append(Entry(self.free.pop(), ticket, planted))


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose: what is drawn for another one changes nothing here."""
    return np.random.default_rng([seed, *purpose.encode()])


def shuffled(draws: np.random.Generator, items: Sequence[Item]) -> list[Item]:
    """The items in random order."""
    return [items[int(place)] for place in draws.permutation(len(items))]


def pick(draws: np.random.Generator, items: Sequence[Item]) -> Item:
    """One of the items."""
    return items[int(draws.integers(len(items)))]


def word_list(name: str) -> dict[str, Any]:
    """One of the package's hand-written tables, by its file name."""
    return tomllib.loads((files("zhiling.workflow.demo") / name).read_text(encoding="utf-8"))


def read_desk(material: Path, seed: int) -> Desk:
    """All hand-written conversations in a seeded order, numbered with gaps as real tickets are."""
    tickets = [
        _ticket(record)
        for file in sorted((material / "authored").glob("*.jsonl"))
        for _, record in read_records(file)
    ]
    questions = [
        Question(line, record["text"], record["label"], record["language"])
        for line, record in read_records(material / "evaluation.jsonl")
    ]
    draws = stream(seed, "order")
    numbers = _FIRST_NUMBER + np.cumsum(draws.integers(2, 5, len(tickets)))
    entries = [
        Entry(int(number), ticket) for number, ticket in zip(numbers, shuffled(draws, tickets), strict=True)
    ]
    taken = {entry.number for entry in entries}
    gaps = [number for number in range(_FIRST_NUMBER, int(numbers[-1])) if number not in taken]
    return Desk(entries, questions, shuffled(draws, gaps))


def _ticket(record: Mapping[str, Any]) -> Ticket:
    turns = (turn.partition(": ") for turn in record["turns"])
    return Ticket(
        record["intent"],
        record["language"],
        record["resolved"],
        record["rating"],
        tuple(Turn(_SPEAKERS[speaker], text) for speaker, _, text in turns),
    )


def records(entry: Entry, seed: int) -> Iterator[dict[str, Any]]:
    """The entry's messages as the export writes them, one record a message."""
    draws = stream(seed, f"time {entry.number}")
    day, slot = divmod(entry.number - _FIRST_NUMBER, _TICKETS_A_DAY)
    moment = _FIRST_DAY + timedelta(days=day, minutes=slot * _MINUTES_APART, seconds=int(draws.integers(600)))
    for turn in entry.ticket.turns:
        yield {
            "conversation": entry.id,
            "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "speaker": turn.speaker,
            "text": turn.text,
            "intent": entry.ticket.intent,
            "resolved": entry.ticket.resolved,
            "rating": entry.ticket.rating,
        }
        moment += timedelta(seconds=int(draws.integers(20, 320)))


def line_of(record: Mapping[str, Any]) -> bytes:
    """A record as a line of JSON, UTF-8, without its end."""
    return json.dumps(record, ensure_ascii=False).encode()
