"""Conversations: support logs into rows, each an agent's reply with all earlier turns as context."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
import orjson
import polars as pl

from zhiling.pipeline.step import Bad, Batch
from zhiling.rows.conversation import nest
from zhiling.sources.columns import labels_target
from zhiling.sources.conversation_facts import Facts
from zhiling.sources.files import excerpt
from zhiling.sources.messages import ConversationField, Messages, gather
from zhiling.sources.names import find, known
from zhiling.sources.record_source import (
    BATCH_ROWS,
    LANGUAGE_TAG,
    SOURCE_ROW,
    RecordSource,
    even,
    source_frame,
)
from zhiling.sources.replies import Each, Rows, merge, ranges, rows_of

BATCH_MESSAGES = 400_000
Speaker = Literal["customer", "agent", "system"]
ROLES: dict[Speaker, str] = {"customer": "user", "agent": "assistant", "system": "system"}
_TAG = re.compile(LANGUAGE_TAG)


class Conversations(RecordSource):
    """Support logs: one line a message (conversation, speaker, time, text) or one line a conversation.

    Each reply to a customer becomes a row of task `dialogue`: all earlier turns, then the reply.
    Neighbouring messages of one speaker are one turn. A customer's turn that nobody answered is material
    of task `utterance`. A value of the question or the reply goes to the row's `extra`; failing that, the
    one value that the conversation has. The messages of one file are held in memory at once.

    Attributes:
        fields: ours → theirs, for `conversation`, `speaker`, `time`, `text`, `turns`, `label`; the usual
            names are found, but for `label`.
        roles: who speaks, for `customer`, `agent`, `system`; they come before the usual names.
        each: a row per `reply`, per `conversation` (up to its last reply) or for the `first` reply only.
        group: what is never split: the conversation, or a field such as the customer's number
            (the conversation where that is missing).
    """

    name: ClassVar[str] = "conversations"

    fields: dict[ConversationField, str] = {}
    roles: dict[Speaker, str | tuple[str, ...]] = {}
    each: Each = "reply"
    group: str = "conversation"

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000; a conversation does not reach across files."""
        return even(batch for file in files for batch in self._file(file, root))

    def _roles(self) -> dict[str, str]:
        named = known("speakers")
        roles: dict[str, str] = {}
        for speaker, role in ROLES.items():
            roles |= {name.casefold(): role for name in named[speaker]}
        for speaker, names in self.roles.items():
            roles |= {
                n.strip().casefold(): ROLES[speaker] for n in ([names] if isinstance(names, str) else names)
            }
        return roles

    def _file(self, file: Path, root: Path) -> Iterator[Batch]:
        messages, place = Messages(), ""
        for records in self.records(file, root):
            place = records.place
            gather(messages, records, self.fields, self._roles())
        yield from self._batches(messages, place)

    def _batches(self, messages: Messages, place: str) -> Iterator[Batch]:
        frame = messages.frame(place)
        facts = Facts(messages, frame, merge(frame))
        rows = rows_of(facts.turns, self.each)
        yield Batch(pl.DataFrame(schema=SOURCE_ROW), (*messages.bad, *_unasked(facts, place)))
        size = np.cumsum(rows.end - rows.start + 1)
        start = 0
        while start < len(size):
            limit = (size[start - 1] if start else 0) + BATCH_MESSAGES
            stop = max(start + 1, min(start + BATCH_ROWS, int(np.searchsorted(size, limit, side="right"))))
            yield Batch(self._rows(facts, rows.part(start, stop), place))
            start = stop

    def _rows(self, facts: Facts, rows: Rows, place: str) -> pl.DataFrame:
        turns = facts.turns
        flat, lengths = ranges(rows.start, rows.end)
        asking = facts.frame[turns.first[rows.question]]
        pairs = list(zip(rows.question.tolist(), rows.end.tolist(), strict=True))
        rest = [facts.rest(*pair) for pair in pairs]
        shown = facts.messages.shown
        names = [shown.get(name, name) for name in cast(list[str], asking["conversation"].to_list())]
        numbers = zip(asking["line"].to_list(), turns.ordinal[rows.question].tolist(), strict=True)
        replies = zip(names, turns.ordinal[rows.end].tolist(), strict=True)
        columns = {
            "messages": nest(turns.frame[flat], lengths),
            "task": pl.Series(np.where(rows.answered, "dialogue", "utterance"), dtype=pl.String),
            "target": labels_target([facts.labels(*pair) for pair in pairs]),
            "locator": [f"{place}:{line}#turn {turn}" for line, turn in numbers],
            "key": [f"{name}#{turn}" for name, turn in replies],
            "group": [self._group(name, fields) for name, fields in zip(names, rest, strict=True)],
            "language": [self.language or _language(fields) for fields in rest],
            "extra": [self._extra(fields) for fields in rest],
        }
        return source_frame(columns, len(pairs))

    def _group(self, conversation: str, fields: dict[str, Any]) -> str:
        value = None if self.group == "conversation" else fields.get(self.group)
        return conversation if value in (None, "") else str(value)

    def _extra(self, fields: dict[str, Any]) -> str | None:
        language = None if self.language else _language_field(fields)
        left = {name: value for name, value in fields.items() if name not in (language, self.group)}
        return orjson.dumps(left).decode() if left else None


def _language_field(fields: dict[str, Any]) -> str | None:
    field = find("record", "language", fields)
    return field if field and isinstance(fields[field], str) and _TAG.fullmatch(fields[field]) else None


def _language(fields: dict[str, Any]) -> str | None:
    field = _language_field(fields)
    return fields[field] if field else None


def _unasked(facts: Facts, place: str) -> Iterator[Bad]:
    """Conversations in which no customer speaks: there is nothing to answer in them."""
    per_turn = facts.frame[facts.turns.first].with_columns(asks=pl.col("role") == "user")
    silent = per_turn.group_by("conversation", maintain_order=True).agg(
        pl.col("line").first(), pl.col("asks").any(), pl.col("text").first()
    )
    for name, line, _, text in silent.filter(~pl.col("asks")).iter_rows():
        message = f"conversation {name!r} has no customer's turn; see `roles` for who is taken as customer"
        yield Bad(f"{place}:{line}", "no_customer_turn", message, excerpt(text))
