"""Messages of all conversations of a file, as columns: what the readers add, and what rows are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import polars as pl

from zhiling.pipeline.step import Bad
from zhiling.rows.schema import digest
from zhiling.sources.chats.speakers import BY_ORDER, NOTICE
from zhiling.sources.chats.times import seconds
from zhiling.sources.chats.turn_lists import Turn
from zhiling.sources.files.lines import excerpt


@dataclass(frozen=True)
class Whole:
    """What a line that holds a whole conversation says beside its turns.

    Attributes:
        line: its number.
        conversation: the source's own name for it; None: it is called by what is said.
        labels: of the whole conversation.
        rest: other fields.
    """

    line: int
    conversation: str | None = None
    labels: list[str] = field(default_factory=list[str])
    rest: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Messages:
    """All messages of a file, as columns in the order of the file.

    Attributes:
        rest: what else each message holds.
        shared: fields of whole conversations, where a line holds one.
        shared_labels: labels of whole conversations, where a line holds one.
        shown: the conversations' ids as the source gives them, where a line holds one and ids repeat.
        parts: what tells a conversation from the others of its line, in places (`#thread 7`).
        notices: what the log itself noted behind a message (before it, at the beginning): index → texts.
        rejected: wrong replies at a conversation's end.
        damaged: conversations with a message that could not be read → its line. They are left out whole,
            because a reply would seem to answer another question.
        bad: what could not be read.
    """

    conversation: list[str] = field(default_factory=list[str])
    role: list[str] = field(default_factory=list[str])
    speaker: list[str] = field(default_factory=list[str])
    text: list[str] = field(default_factory=list[str])
    line: list[int] = field(default_factory=list[int])
    time: list[str | None] = field(default_factory=list["str | None"])
    labels: list[list[str] | None] = field(default_factory=list["list[str] | None"])
    rest: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    shared: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    shared_labels: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    shown: dict[str, str] = field(default_factory=dict[str, str])
    parts: dict[str, str] = field(default_factory=dict[str, str])
    notices: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    rejected: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    damaged: dict[str, int] = field(default_factory=dict[str, int])
    bad: list[Bad] = field(default_factory=list[Bad])
    _last: dict[str, int] = field(default_factory=dict[str, int])  # conversation → its last message
    _early: dict[str, list[tuple[str, int]]] = field(default_factory=dict[str, list[tuple[str, int]]])

    def add(self, conversation: str, line: int, turn: Turn) -> None:
        """Adds one message; a notice goes to the one before it, the first ones to the one behind them."""
        if turn.role == NOTICE:
            if conversation in self._last:
                self.notices.setdefault(self._last[conversation], []).append(turn.text)
            else:
                self._early.setdefault(conversation, []).append((turn.text, line))
            return
        index = self._last[conversation] = len(self.conversation)
        self.conversation.append(conversation)
        self.line.append(line)
        self.role.append(turn.role)
        self.speaker.append(turn.speaker)
        self.text.append(turn.text)
        self.time.append(turn.time)
        self.labels.append(turn.labels)
        self.rest.append(turn.rest)
        if conversation in self._early:
            self.notices[index] = [text for text, _ in self._early.pop(conversation)]

    def add_whole(self, whole: Whole, turns: list[Turn]) -> str:
        """Adds a conversation; its name, which differs from those of others in the file."""
        shown = whole.conversation
        if shown is None:  # called by what is said, because places change when a line is put on top
            shown = digest(*(f"{turn.role}\0{turn.text}".encode() for turn in turns))
        # a copy is a conversation of its own; steps judge it
        conversation = f"{shown} in line {whole.line}" if shown in self.shared else shown
        self.shown[conversation] = shown
        self.shared[conversation] = whole.rest
        self.shared_labels[conversation] = whole.labels
        for turn in turns:
            self.add(conversation, whole.line, turn)
        return conversation

    def frame(self, place: str) -> pl.DataFrame:
        """One line a message, sorted by conversation (first met first) and time, damaged ones left out.

        Columns: conversation, role, text, line, index (into the lists of this object). A message without
        time stands behind the message before it. Roles BY_ORDER are told.
        """
        frame = pl.DataFrame(
            {
                "conversation": pl.Series(self.conversation, dtype=pl.String),
                "role": pl.Series(self.role, dtype=pl.String),
                "text": pl.Series(self.text, dtype=pl.String),
                "line": pl.Series(self.line, dtype=pl.Int64),
                "time": seconds(pl.Series(self.time, dtype=pl.String)),
            }
        ).with_row_index("index")
        self._refuse_times(frame, place)
        self._refuse_silent(place)
        whole = frame.filter(~pl.col("conversation").is_in(list(self.damaged)))
        readable = frame.filter(~pl.col("time").is_nan().fill_null(False))
        self.bad.extend(_left_out(readable, self.damaged, place))
        ordered = whole.with_columns(
            pl.col("index").min().over("conversation").alias("met"),
            pl.col("time").forward_fill().over("conversation").fill_null(float("-inf")),
        ).sort("met", "time", "index")
        if BY_ORDER in self.role:
            ordered = self._roles_by_order(ordered)
        return ordered.select("index", "conversation", "role", "text", "line")

    def _refuse_times(self, frame: pl.DataFrame, place: str) -> None:
        unread: list[int] = frame["time"].is_nan().fill_null(False).arg_true().to_list()
        for index in unread:
            message = f"time {self.time[index]!r} cannot be read; ISO 8601 or seconds are needed"
            self.bad.append(
                Bad(f"{place}:{self.line[index]}", "unreadable_time", message, excerpt(self.text[index]))
            )
            self.damaged.setdefault(self.conversation[index], self.line[index])

    def _refuse_silent(self, place: str) -> None:
        """Conversations in which nobody speaks."""
        for conversation, notices in self._early.items():
            text, line = notices[0]
            message = f"conversation {conversation!r} holds {len(notices)} notices of the log and no message"
            self.bad.append(Bad(f"{place}:{line}", "only_notices", message, excerpt(text)))

    def _roles_by_order(self, ordered: pl.DataFrame) -> pl.DataFrame:
        """Who speaks first is the customer, unless one is named; the others are agents."""
        indexes = cast(list[int], ordered["index"].to_list())
        names = [self.speaker[index].strip().casefold() for index in indexes]
        frame = ordered.with_columns(pl.Series("speaker", names, dtype=pl.String))
        open_role = pl.col("role") == BY_ORDER
        first = pl.col("speaker").filter(open_role).first().over("conversation")
        named = (pl.col("role") == "user").any().over("conversation")
        told = (
            pl.when((pl.col("speaker") == first) & ~named).then(pl.lit("user")).otherwise(pl.lit("assistant"))
        )
        return frame.with_columns(pl.when(open_role).then(told).otherwise("role").alias("role"))


def _left_out(frame: pl.DataFrame, damaged: Mapping[str, int], place: str) -> Iterator[Bad]:
    lost = frame.filter(pl.col("conversation").is_in(list(damaged)))
    counts = lost.group_by("conversation", maintain_order=True).agg(pl.len(), pl.col("line").first())
    for conversation, count, line in counts.iter_rows():
        why = f"a message in line {damaged[conversation]} cannot be read"
        message = f"conversation {conversation!r} with {count} messages is left out: {why}"
        yield Bad(f"{place}:{line}", "damaged_conversation", message)
