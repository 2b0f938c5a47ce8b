"""A row as plain Python values: what formats read records into and write them from.

A frame of drafts is built column by column (`frame_of`), never as nested dictionaries. What a row has no
column for, and a format needs to write a record as it was, stands in `extra` under the names of MARKERS:

* `input_lines`: how many lines of the last question were Alpaca's `input` (they stand at its end);
* `reply_messages`: how many messages at the end are the reply, where it is not one;
* `message_fields`: further fields of single messages, by the message's index (`1`, or `0/1` for the second
  message of the first alternative).

They are notation, so no format writes them as fields of a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple, cast

import orjson
import polars as pl

from zhiling.rows.conversation import nest
from zhiling.rows.schema import ALTERNATIVE, MESSAGE, ROW

INPUT_LINES = "input_lines"
REPLY_MESSAGES = "reply_messages"
MESSAGE_FIELDS = "message_fields"
MARKERS = frozenset({INPUT_LINES, REPLY_MESSAGES, MESSAGE_FIELDS})

_COLUMNS = [each.name for each in MESSAGE.fields]


class Unreadable(ValueError):
    """Why a record is no row: class and message of the Bad that it becomes."""

    def __init__(self, cls: str, message: str) -> None:
        super().__init__(message)
        self.cls = cls
        self.message = message


class Media(NamedTuple):
    """An image, audio or video; `at`: place in the text, code points; `path`: a web or data address too."""

    kind: str
    path: str
    sha256: str | None = None
    at: int | None = 0


class Message(NamedTuple):
    """One message: the fields of `rows.schema.MESSAGE` in their order, and `notes` on how it was written."""

    role: str
    text: str | None = None
    reasoning: str | None = None
    media: tuple[Media, ...] = ()
    tool_calls: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    weight: float | None = None
    notes: Mapping[str, Any] | None = None


_PLAIN = Message("")[2:]
_BESIDE = ("reasoning", "tool_calls", "tool_call_id", "name", "weight")


def count_beside(messages: Sequence[Message], lost: set[str]) -> None:
    """Adds what messages have beside role, text and media: for formats that hold no more."""
    for message in messages:
        if message[2:] != _PLAIN:
            lost |= {name for name in _BESIDE if getattr(message, name) is not None}
            if message.notes:
                lost.add("message_fields")


class Alternative(NamedTuple):
    """Another answer to the same prompt; `kind` is chosen, rejected or ranked."""

    messages: tuple[Message, ...]
    kind: str
    rank: int | None = None
    score: float | None = None


@dataclass(slots=True)
class Draft:
    """One row.

    Attributes:
        messages: the conversation; the row's own reply is its end.
        alternatives: other answers than that reply.
        extra: fields of the record that have no place, and MARKERS.
        task: None: `instruction`, or `utterance` where nothing answers.
        target, language, licence, group: as in the record; only formats that hold them set them.
        tools: JSON.
    """

    messages: list[Message]
    alternatives: list[Alternative] = field(default_factory=list[Alternative])
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    tools: str | None = None
    task: str | None = None
    target: str | None = None
    language: str | None = None
    licence: str | None = None
    group: str | None = None

    def kind(self) -> str:
        """The task: as set, else `instruction`, or `utterance` where the row holds no answer at all."""
        if self.task is not None:
            return self.task
        answered = self.alternatives or any(message.role == "assistant" for message in self.messages)
        return "instruction" if answered else "utterance"


def frame_of(drafts: Sequence[Draft]) -> pl.DataFrame:
    """Drafts as columns `messages, alternatives, task, target, language, tools, extra` of the record."""
    messages = [message for draft in drafts for message in draft.messages]
    return pl.DataFrame(
        [
            nest(_flat(messages), [len(draft.messages) for draft in drafts]),
            _alternatives(drafts),
            pl.Series("task", [draft.kind() for draft in drafts], dtype=ROW["task"]),
            pl.Series("target", [draft.target for draft in drafts], dtype=ROW["target"]),
            pl.Series("language", [draft.language for draft in drafts], dtype=ROW["language"]),
            pl.Series("tools", [draft.tools for draft in drafts], dtype=ROW["tools"]),
            pl.Series("extra", [spelled_extra(draft) for draft in drafts], dtype=ROW["extra"]),
        ]
    )


def spelled_extra(draft: Draft) -> str | None:
    """`extra` with the notes of all messages as JSON; None where there is nothing.

    Raises:
        Unreadable: a value that JSON cannot spell, or one nested too deeply.
    """
    extra, notes = draft.extra, _notes(draft)
    if notes:
        extra = {**extra, MESSAGE_FIELDS: notes}
    if not extra:
        return None
    try:
        return orjson.dumps(extra).decode()
    except orjson.JSONEncodeError as error:
        raise Unreadable("not_json", f"a field cannot be kept: {error}") from error


def drafts_of(rows: pl.DataFrame, flat: pl.DataFrame) -> Iterator[Draft]:
    """Rows of the record as drafts.

    Args:
        rows: the record's columns.
        flat: their messages, one line each, with `row` as in `conversation.flatten`.
    """
    spoken = _messages(flat)
    lengths = flat.group_by("row", maintain_order=True).len()
    counts = dict(lengths.iter_rows())
    names = ("alternatives", "extra", "tools", "task", "target", "language")
    start = 0
    for index, values in enumerate(zip(*(_values(rows[name]) for name in names), strict=True)):
        end = start + counts.get(index, 0)
        alternatives, extra, *rest = values
        draft = Draft(spoken[start:end], _read_alternatives(alternatives), read_extra(extra), *rest)
        if MESSAGE_FIELDS in draft.extra:
            _annotate(draft)
        yield draft
        start = end


def read_extra(extra: str | None) -> dict[str, Any]:
    """`extra` as a dictionary."""
    return cast(dict[str, Any], orjson.loads(extra)) if extra else {}


def _flat(messages: Sequence[Message]) -> pl.DataFrame:
    columns: list[Any] = list(zip(*messages, strict=True))[: len(_COLUMNS)]
    if not columns:
        return pl.DataFrame(schema=dict(MESSAGE))
    media = _COLUMNS.index("media")
    pictured = any(columns[media])
    columns[media] = [
        [each._asdict() for each in group] or None if group else None for group in columns[media]
    ]
    return pl.DataFrame(
        [
            pl.Series(name, values, dtype=each.dtype)
            if name != "media" or pictured
            else pl.Series(name, [None], dtype=each.dtype).new_from_index(0, len(messages))
            for name, values, each in zip(_COLUMNS, columns, MESSAGE.fields, strict=True)
        ]
    )


def _alternatives(drafts: Sequence[Draft]) -> pl.Series:
    dtype = pl.List(ALTERNATIVE)
    listed = [each for draft in drafts for each in draft.alternatives]
    if not listed:
        return pl.Series("alternatives", [None], dtype=dtype).new_from_index(0, len(drafts))
    answers = pl.DataFrame(
        {
            "messages": nest(
                _flat([message for each in listed for message in each.messages]),
                [len(each.messages) for each in listed],
            ),
            "kind": [each.kind for each in listed],
            "rank": pl.Series([each.rank for each in listed], dtype=pl.Int32),
            "score": pl.Series([each.score for each in listed], dtype=pl.Float64),
            "row": [index for index, draft in enumerate(drafts) for _ in draft.alternatives],
        }
    )
    grouped = answers.select("row", pl.struct("messages", "kind", "rank", "score").alias("alternatives"))
    listed_by_row = grouped.group_by("row", maintain_order=True).agg("alternatives")
    index = pl.DataFrame({"row": range(len(drafts))}, schema={"row": pl.Int64})
    return index.join(listed_by_row, on="row", how="left", maintain_order="left")["alternatives"].cast(dtype)


def _notes(draft: Draft) -> dict[str, Any]:
    notes = {str(index): each.notes for index, each in enumerate(draft.messages) if each.notes}
    for number, alternative in enumerate(draft.alternatives):
        for index, each in enumerate(alternative.messages):
            if each.notes:
                notes[f"{number}/{index}"] = each.notes
    return notes


def _annotate(draft: Draft) -> None:
    """Gives the notes back to their messages."""
    found: Any = draft.extra.pop(MESSAGE_FIELDS)
    if not isinstance(found, dict):
        return
    notes = cast(dict[str, Any], found)
    draft.messages = [each._replace(notes=notes.get(str(n))) for n, each in enumerate(draft.messages)]
    draft.alternatives = [
        each._replace(
            messages=tuple(m._replace(notes=notes.get(f"{number}/{n}")) for n, m in enumerate(each.messages))
        )
        for number, each in enumerate(draft.alternatives)
    ]


def _messages(flat: pl.DataFrame) -> list[Message]:
    columns = [_values(flat[name]) for name in _COLUMNS]
    media = _COLUMNS.index("media")
    columns[media] = [tuple(Media(**each) for each in group) if group else () for group in columns[media]]
    return list(map(Message._make, zip(*columns, repeat(None, flat.height), strict=True)))


def _values(column: pl.Series) -> Iterable[Any]:
    """The values of a column; one that is empty costs nothing."""
    height = len(column)
    return repeat(None, height) if column.null_count() == height else column.to_list()


def _read_alternatives(alternatives: list[dict[str, Any]] | None) -> list[Alternative]:
    return [
        Alternative(
            tuple(_read_message(message) for message in each["messages"] or ()),
            each["kind"],
            each["rank"],
            each["score"],
        )
        for each in alternatives or ()
    ]


def _read_message(fields: Mapping[str, Any]) -> Message:
    media = tuple(Media(**each) for each in fields["media"] or ())
    return Message(**cast(dict[str, Any], {**fields, "media": media}))
