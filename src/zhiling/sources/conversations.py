"""Conversations: support logs into rows, each an agent's reply with all earlier turns as context."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
import orjson
import polars as pl
from pydantic import Field, field_validator

from zhiling.pipeline.step import Bad, Batch
from zhiling.rows.conversation import nest
from zhiling.sources.chats.alternatives import rejected_reply
from zhiling.sources.chats.chat_files import Layout, is_chat, one_json_chat
from zhiling.sources.chats.conversation_facts import Facts
from zhiling.sources.chats.gather import ConversationField, Gatherer
from zhiling.sources.chats.messages import Messages
from zhiling.sources.chats.predicted_threads import Splitter
from zhiling.sources.chats.replies import Each, Rows, merge, ranges, rows_of
from zhiling.sources.chats.reply_links import Linker
from zhiling.sources.chats.speakers import Others, Speaker, Speakers, check_names
from zhiling.sources.files.lines import blocks, excerpt, place_of
from zhiling.sources.names import find
from zhiling.sources.record_source import (
    BATCH_ROWS,
    LANGUAGE_TAG,
    SOURCE_ROW,
    RecordSource,
    even,
    source_frame,
)
from zhiling.sources.records.columns import labels_target

BATCH_MESSAGES = 400_000
_TAG = re.compile(LANGUAGE_TAG)


class Conversations(RecordSource):
    """Support logs: a line a message, a line a conversation, or a file a chat.

    Lines are JSON or CSV with conversation, speaker, time and text; a conversation is a list of turns or a
    transcript. Files of text (`.txt`, `.log`, …) are transcripts, one chat each, see `transcripts`; so is a
    `.json` that holds one list of turns. A log in which many talk at once is followed by its reply links.

    Each reply to a customer becomes a row of task `dialogue`: all earlier turns, then the reply. Neighbouring
    messages of one speaker are one turn. A customer's turn that nobody answered is material of task
    `utterance`. A value of the question or the reply goes to the row's `extra`; failing that, the one value
    that the conversation has. What the log itself notes goes there as `notices`, what an agent said before
    a question that nobody answered as `before`. Texts stay as they are, HTML entities included: cleaning is a
    step's business. The messages of one file are held in memory at once.

    Attributes:
        fields: ours → theirs, for `conversation`, `speaker`, `time`, `text`, `turns`, `label`, and `links`
            (pairs of messages of a log, as numbers from 0), `reply` (a reply apart from its turns), `right`
            (1 or 0: whether that reply is right; a wrong one becomes a rejected alternative to the right
            one). The usual names are found, but for `label`, `reply` and `right`.
        roles: who speaks, for `customer`, `agent`, `system`, `notice` (what the log itself notes); they come
            before the usual names. A name between slashes is a regular expression: `/agent [0-9]+/`.
        others: what speakers without a role are: bad items (`refuse`), customers, agents, notices, or by
            order (`first`): who speaks first is the customer, unless one is named, and the rest are agents.
            In threads of a log, where names are nicknames, `refuse` means `first`.
        layout: whether a file holds `records` or one `chat`; `auto` tells it by name and first lines.
        each: a row per `reply`, per `conversation` (up to its last reply) or for the `first` reply only.
        threads: in a log in which many talk at once and that has no reply links, `predicted` links them:
            each thread is a conversation. Speakers are then taken as in threads of a log.
        least_link: with predicted threads, a message whose link is less probable starts a thread.
        context: at most so many turns before a reply, the last ones; not for `each: conversation`.
        group: what is never split: the conversation, or a field such as the customer's number
            (the conversation where that is missing).
    """

    name: ClassVar[str] = "conversations"
    version: ClassVar[int] = 2

    fields: dict[ConversationField, str] = {}
    roles: dict[Speaker, str | tuple[str, ...]] = {}
    others: Others = "refuse"
    layout: Layout = "auto"
    each: Each = "reply"
    threads: Literal["given", "predicted"] = "given"
    least_link: Annotated[float, Field(ge=0, le=1)] = 0.0
    context: Annotated[int, Field(ge=1)] = 500
    group: str = "conversation"

    @field_validator("roles")
    @classmethod
    def _names_can_be_read(cls, roles: dict[Speaker, str | tuple[str, ...]]) -> Any:
        for names in roles.values():
            check_names([names] if isinstance(names, str) else names)
        return roles

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000; a conversation does not reach across files."""
        in_threads = Speakers(self.roles, "first" if self.others == "refuse" else self.others, usual=False)
        speakers = in_threads if self.threads == "predicted" else Speakers(self.roles, self.others)
        read = (batch for file in files for batch in self._file(file, root, speakers, in_threads))
        return even(read, _weight)

    def _file(self, file: Path, root: Path, speakers: Speakers, in_threads: Speakers) -> Iterator[Batch]:
        place = place_of(file, root)
        gatherer = Gatherer(self.fields, speakers, in_threads)
        if is_chat(file, self.layout, self.encoding, self.fields):
            gatherer.chat(blocks(file, place, self.encoding), place)
        else:
            one = one_json_chat(file, place, self.encoding, self.fields) if self.layout != "records" else None
            for records in [one] if one else self.records(file, root):
                gatherer.add(records)
        messages = gatherer.finish(place)
        if self.threads == "predicted":
            Splitter(Linker.shipped(), self.least_link).split(messages)
        yield from self._batches(messages, place)

    def _batches(self, messages: Messages, place: str) -> Iterator[Batch]:
        frame = messages.frame(place)
        facts = Facts(messages, frame, merge(frame))
        rows = rows_of(facts.turns, self.each, self.context)
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
        further = map(facts.beside, rows.since.tolist(), rows.start.tolist(), rows.end.tolist())
        rest = [_joined(facts.rest(*pair), others) for pair, others in zip(pairs, further, strict=True)]
        conversations = cast(list[str], asking["conversation"].to_list())
        alternatives = self._alternatives(facts, rows, conversations)
        told = rows.answered | alternatives.is_not_null().to_numpy()
        shown, parts = facts.messages.shown, facts.messages.parts
        names = [shown.get(name, name) for name in conversations]
        lines = [
            f"{line}{parts.get(name, '')}" for line, name in zip(asking["line"], conversations, strict=True)
        ]
        numbers = zip(lines, turns.ordinal[rows.question].tolist(), strict=True)
        replies = zip(names, turns.ordinal[rows.end].tolist(), strict=True)
        columns = {
            "messages": nest(turns.frame[flat], lengths),
            "alternatives": alternatives,
            "task": pl.Series(np.where(told, "dialogue", "utterance"), dtype=pl.String),
            "target": labels_target([facts.labels(*pair) for pair in pairs]),
            "locator": [f"{place}:{line}#turn {turn}" for line, turn in numbers],
            "key": [f"{name}#{turn}" for name, turn in replies],
            "group": [self._group(name, fields) for name, fields in zip(names, rest, strict=True)],
            "language": [self.language or _language(fields) for fields in rest],
            "extra": [self._extra(fields) for fields in rest],
        }
        return source_frame(columns, len(pairs))

    def _alternatives(self, facts: Facts, rows: Rows, conversations: list[str]) -> pl.Series:
        """Wrong replies, at the row that ends the conversation."""
        rejected = facts.messages.rejected
        last = np.append(np.diff(facts.turns.conversation) > 0, True)
        ends = (last[rows.end] if rejected else np.zeros(len(rows.end), dtype=np.bool_)).tolist()
        return pl.Series(
            "alternatives",
            [
                [rejected_reply(text) for text in rejected[name]] if end and name in rejected else None
                for name, end in zip(conversations, ends, strict=True)
            ],
            dtype=SOURCE_ROW["alternatives"],
        )

    def _group(self, conversation: str, fields: dict[str, Any]) -> str:
        value = None if self.group == "conversation" else fields.get(self.group)
        return conversation if value in (None, "") else str(value)

    def _extra(self, fields: dict[str, Any]) -> str | None:
        language = None if self.language else _language_field(fields)
        left = {name: value for name, value in fields.items() if name not in (language, self.group)}
        return orjson.dumps(left).decode() if left else None


def _weight(rows: pl.DataFrame) -> int:
    """So many rows of usual length (20 messages) these are."""
    return max(rows.height, int(rows["messages"].list.len().sum()) * BATCH_ROWS // BATCH_MESSAGES)


def _joined(fields: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """Both; where the source has a field of the same name, that stays."""
    return (
        {**fields, **{f"log_{n}" if n in fields else n: v for n, v in others.items()}} if others else fields
    )


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
