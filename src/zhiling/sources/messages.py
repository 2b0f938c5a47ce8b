"""Messages of conversations gathered from records: one line a message, or one line a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from zhiling.pipeline.step import Bad
from zhiling.rows.schema import digest
from zhiling.sources.columns import Columns
from zhiling.sources.files import excerpt
from zhiling.sources.names import find
from zhiling.sources.problem import Problem
from zhiling.sources.records import Records
from zhiling.sources.times import seconds
from zhiling.sources.turn_lists import Turn, read_turns, unknown

ConversationField = Literal["conversation", "speaker", "time", "text", "turns", "label"]
Fields = Mapping[ConversationField, str]
Chosen = Mapping[ConversationField, str | None]
NAMES: tuple[ConversationField, ...] = ("conversation", "speaker", "time", "text")


@dataclass
class Messages:
    """All messages of a file, as columns in the order of the file.

    Attributes:
        rest: what else each message holds.
        shared: fields of whole conversations, where a line holds one.
        shared_labels: labels of whole conversations, where a line holds one.
        shown: the conversations' ids as the source gives them, where a line holds one and ids repeat.
        damaged: conversations with a message that could not be read → its line. They are left out whole,
            because a reply would seem to answer another question.
        bad: what could not be read.
    """

    conversation: list[str] = field(default_factory=list[str])
    role: list[str] = field(default_factory=list[str])
    text: list[str] = field(default_factory=list[str])
    line: list[int] = field(default_factory=list[int])
    time: list[str | None] = field(default_factory=list["str | None"])
    labels: list[list[str] | None] = field(default_factory=list["list[str] | None"])
    rest: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    shared: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    shared_labels: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    shown: dict[str, str] = field(default_factory=dict[str, str])
    damaged: dict[str, int] = field(default_factory=dict[str, int])
    bad: list[Bad] = field(default_factory=list[Bad])

    def add(self, conversation: str, line: int, turn: Turn) -> None:
        """Adds one message."""
        self.conversation.append(conversation)
        self.line.append(line)
        self.role.append(turn.role)
        self.text.append(turn.text)
        self.time.append(turn.time)
        self.labels.append(turn.labels)
        self.rest.append(turn.rest)

    def frame(self, place: str) -> pl.DataFrame:
        """One line a message, sorted by conversation (first met first) and time, damaged ones left out.

        Columns: conversation, role, text, line, index (into the lists of this object). A message without
        time stands behind the message before it.
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
        unread: list[int] = frame["time"].is_nan().fill_null(False).arg_true().to_list()
        for index in unread:
            message = f"time {self.time[index]!r} cannot be read; ISO 8601 or seconds are needed"
            self.bad.append(
                Bad(f"{place}:{self.line[index]}", "unreadable_time", message, excerpt(self.text[index]))
            )
            self.damaged.setdefault(self.conversation[index], self.line[index])
        whole = frame.filter(~pl.col("conversation").is_in(list(self.damaged)))
        readable = frame.filter(~pl.col("time").is_nan().fill_null(False))
        self.bad.extend(_left_out(readable, self.damaged, place))
        return (
            whole.with_columns(
                pl.col("index").min().over("conversation").alias("met"),
                pl.col("time").forward_fill().over("conversation").fill_null(float("-inf")),
            )
            .sort("met", "time", "index")
            .select("index", "conversation", "role", "text", "line")
        )


def _left_out(frame: pl.DataFrame, damaged: Mapping[str, int], place: str) -> Iterator[Bad]:
    lost = frame.filter(pl.col("conversation").is_in(list(damaged)))
    counts = lost.group_by("conversation", maintain_order=True).agg(pl.len(), pl.col("line").first())
    for conversation, count, line in counts.iter_rows():
        why = f"a message in line {damaged[conversation]} cannot be read"
        message = f"conversation {conversation!r} with {count} messages is left out: {why}"
        yield Bad(f"{place}:{line}", "damaged_conversation", message)


def gather(messages: Messages, records: Records, fields: Fields, roles: Mapping[str, str]) -> None:
    """Adds the messages of these records.

    Args:
        messages: what was gathered before; it grows.
        records: lines with a message each, or with a list of turns each.
        fields: ours → theirs; other names are found.
        roles: speaker in lower case → user, assistant or system.
    """
    columns = Columns(records)
    chosen: dict[ConversationField, str | None] = {
        name: fields.get(name) or find("conversations", name, columns.names) for name in NAMES
    }
    chosen["label"] = fields.get("label")
    chosen["turns"] = fields.get("turns") or _turns_field(columns)
    if chosen["turns"] is not None:
        _gather_conversations(messages, columns, chosen, roles)
    else:
        _gather_messages(messages, columns, chosen, roles)
    messages.bad.extend(columns.problems())


def _turns_field(columns: Columns) -> str | None:
    lists = [
        name for name in columns.names if any(isinstance(item.get(name), list) for item in columns.items)
    ]
    return find("conversations", "turns", lists)


def _gather_messages(messages: Messages, columns: Columns, chosen: Chosen, roles: Mapping[str, str]) -> None:
    conversations = columns.text(chosen["conversation"] or "conversation", required=True).to_list()
    speakers = columns.text(chosen["speaker"] or "speaker", required=True).to_list()
    text_field = chosen["text"] or "text"
    texts, times = columns.text(text_field).to_list(), columns.text(chosen["time"]).to_list()
    labels = columns.labels(chosen["label"])
    used = {name for name in chosen.values() if name}
    for index, item in enumerate(columns.items):
        conversation, line = conversations[index], columns.lines[index]
        role = roles.get((speakers[index] or "").strip().casefold())
        if role is None:
            columns.refuse(index, "unknown_speaker", unknown(speakers[index], roles))
        if text_field not in item:
            columns.refuse(
                index, "missing_field", f"field {text_field!r} is missing; this record has {sorted(item)!r}"
            )
        if not columns.is_refused(index) and role is not None and conversation is not None:
            rest = {name: value for name, value in item.items() if name not in used and value is not None}
            messages.add(
                conversation, line, Turn(role, texts[index] or "", times[index], labels[index], rest)
            )
        elif conversation is not None:
            messages.damaged.setdefault(conversation, line)


def _gather_conversations(
    messages: Messages, columns: Columns, chosen: Chosen, roles: Mapping[str, str]
) -> None:
    field_of_turns = chosen["turns"] or "turns"
    named = chosen["conversation"] if chosen["conversation"] != field_of_turns else None
    conversations = columns.text(named).to_list()
    labels = columns.labels(chosen["label"])
    used = {name for name in (named, field_of_turns, chosen["label"]) if name}
    for index, item in enumerate(columns.items):
        turns = read_turns(item.get(field_of_turns), chosen, roles)
        if isinstance(turns, Problem):
            columns.refuse(index, turns.cls, turns.message)
        if isinstance(turns, Problem) or columns.is_refused(index):
            continue
        conversation = conversations[index]
        if conversation is None:  # told by what is said, because places change when a line is put on top
            conversation = digest(*(f"{turn.role}\0{turn.text}".encode() for turn in turns))
        shown = conversation
        if conversation in messages.shared:  # a copy is a conversation of its own; steps judge it
            conversation = f"{shown} in line {columns.lines[index]}"
        messages.shown[conversation] = shown
        messages.shared[conversation] = {n: v for n, v in item.items() if n not in used and v is not None}
        messages.shared_labels[conversation] = labels[index] or []
        for turn in turns:
            messages.add(conversation, columns.lines[index], turn)
