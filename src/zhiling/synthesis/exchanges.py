"""Conversations out of rows: what a customer asked, what was answered, and what the customer said next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import polars as pl

READS = ("messages", "origin", "extra")
"""Columns that `conversations` needs, beside `id`."""

_TURN = re.compile(r"^(?P<head>.*)#turn (?P<turn>\d+)$", re.DOTALL)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Exchange:
    """A question with its answer.

    Attributes:
        row: number of the row, in the frame, that holds it.
        question: the customer's words since the agent spoke last.
        answer: the agent's words.
        signals: the row's `extra`.
    """

    row: int
    question: str
    answer: str
    signals: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Conversation:
    """Exchanges in their order.

    Attributes:
        exchanges: at least one, unless nobody answered.
        closing: what the customer said at the end, unanswered; empty where the agent spoke last.
        closing_row: number of the row that holds it, where it is one of its own.
    """

    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    closing: str = ""
    closing_row: int | None = None

    def reactions(self, number: int) -> Iterator[str]:
        """All that the customer said after the answer of this exchange."""
        yield from (exchange.question for exchange in self.exchanges[number + 1 :])
        if self.closing:
            yield self.closing


@dataclass(frozen=True)
class _Row:
    """A row as this module reads it: its turns in pairs, and where it stands in its source."""

    number: int
    group: str | None
    head: str
    turn: int | None
    pairs: list[tuple[str, str]]
    open: str
    signals: dict[str, Any]


def conversations(rows: pl.DataFrame) -> list[Conversation]:
    """The conversations of these rows, whatever the order of the rows.

    A source of conversations gives a row a reply, with the turns before it, and a row for what the customer
    said last: rows of one group whose places follow each other are one conversation. A row of another
    source is a conversation of its own.

    Args:
        rows: `id` and the columns of `READS`.
    """
    found: list[Conversation] = []
    before: _Row | None = None
    for row in sorted(_read(rows), key=_place):
        if before is None or not _goes_on(before, row):
            found.append(Conversation())
        _add(found[-1], row)
        before = row
    return found


def _read(rows: pl.DataFrame) -> Iterator[_Row]:
    columns = (rows[name].to_list() for name in READS)
    for number, (messages, origin, extra) in enumerate(zip(*columns, strict=True)):
        locator = origin["locator"] or "" if origin else ""
        place = _TURN.match(locator)
        pairs, left = _pairs(messages or ())
        head, turn = (place["head"], int(place["turn"])) if place else (locator, None)
        yield _Row(number, origin["group"] if origin else None, head, turn, pairs, left, _fields(extra))


def _pairs(messages: Sequence[dict[str, Any]]) -> tuple[list[tuple[str, str]], str]:
    """Questions with their answers, and what was asked behind the last answer."""
    pairs: list[tuple[str, str]] = []
    asked: list[str] = []
    for message in messages:
        text = (message["text"] or "").strip()
        if message["role"] == "user":
            asked.append(text)
        elif message["role"] == "assistant" and text:
            if asked:
                pairs.append(("\n".join(filter(None, asked)), text))
            elif pairs:  # a second message to the same question
                pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}\n{text}")
            asked = []
    return pairs, "\n".join(filter(None, asked))


def _fields(extra: str | None) -> dict[str, Any]:
    value: Any = orjson.loads(extra) if extra else None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _place(row: _Row) -> tuple[Any, ...]:
    """The order of a source; numbers in places count as numbers."""
    pieces = _DIGITS.split(row.head)
    natural = [(int(piece), "") if number % 2 else (0, piece) for number, piece in enumerate(pieces)]
    return (row.group or "", natural, -1 if row.turn is None else row.turn, row.pairs, row.open)


def _goes_on(before: _Row, row: _Row) -> bool:
    """Whether the row belongs to the conversation of the row before it."""
    if row.turn is None or before.turn is None or row.group is None or row.group != before.group:
        return False
    if row.turn < before.turn:
        return False
    known = before.pairs[-1][1] if before.pairs else None
    shows = any(answer == known for _, answer in row.pairs[:-1])
    return row.head == before.head or shows or not row.pairs


def _add(conversation: Conversation, row: _Row) -> None:
    """Of the first row all exchanges count, of a later one the last: the others were told before."""
    new = row.pairs[-1:] if conversation.exchanges else row.pairs
    conversation.exchanges += [Exchange(row.number, *pair, row.signals) for pair in new]
    conversation.closing, conversation.closing_row = (row.open, row.number) if row.open else ("", None)
