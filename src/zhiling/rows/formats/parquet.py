"""Parquet: the record itself, all of its columns, read back without loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, ClassVar, cast

import polars as pl
import pyarrow.parquet as arrow_parquet

from zhiling.rows.formats.checks import list_of, number_of, object_of, optional_text, text_of
from zhiling.rows.formats.draft import Alternative, Draft, Media, Message, Unreadable, read_extra
from zhiling.rows.formats.format import Encoder, Format
from zhiling.rows.schema import ROW, conform

GROUP_ROWS = 50_000
COLUMNS = tuple(name for name in ROW if name not in ("n", "content"))
"""`n` counts within a run, and `content` follows from the other columns."""

_parquet: Any = arrow_parquet  # has no type stubs


class Parquet(Format):
    """The columns of the record but `n` and `content`, in row groups of 50,000 rows, packed by Zstandard."""

    name: ClassVar[str] = "parquet"
    suffix: ClassVar[str] = ".parquet"

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """A whole file with these rows; nothing is lost."""
        encoder = self.encoder()
        return encoder.encode(rows, losses) + encoder.finish()

    def encoder(self) -> Encoder:
        """An encoder that gathers rows into groups, so that batches do not show in the file."""
        return _Groups(self)

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with messages and an origin."""
        if fields.get("messages") is not list or fields.get("origin") is not dict:
            return 0
        return sum(name in ROW for name in fields)

    def decode(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record; its origin gives licence and group, no more."""
        messages = [_message(each) for each in list_of(record.get("messages"), "messages")]
        if not messages:
            raise Unreadable("no_messages", "messages is empty; a row has at least one")
        origin = record.get("origin")
        told = object_of(origin, "origin") if origin is not None else {}
        return Draft(
            messages,
            [_alternative(each) for each in list_of(record.get("alternatives"), "alternatives")],
            _extra(record.get("extra")),
            *(optional_text(record.get(name), name) for name in ("tools", "task", "target", "language")),
            licence=optional_text(told.get("licence"), "origin.licence"),
            group=optional_text(told.get("group"), "origin.group"),
        )


class _Groups(Encoder):
    """Writes full row groups as they come, and the rest at the end."""

    def __init__(self, form: Format) -> None:
        super().__init__(form)
        self._waiting = _columns(pl.DataFrame(schema=ROW))
        self._sink = BytesIO()
        schema = cast(Any, self._waiting).to_arrow().schema
        self._file = _parquet.ParquetWriter(self._sink, schema, compression="zstd")

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The bytes of groups that are full now."""
        self._waiting = pl.concat([self._waiting, _columns(rows)])
        while self._waiting.height >= GROUP_ROWS:
            self._group(self._waiting.head(GROUP_ROWS))
            self._waiting = self._waiting.slice(GROUP_ROWS)
        return self._taken()

    def finish(self) -> bytes:
        """The last group, and the footer."""
        if self._waiting.height:
            self._group(self._waiting)
        self._file.close()
        return self._taken()

    def _group(self, rows: pl.DataFrame) -> None:
        # one chunk: where batches began must not show in the pages
        self._file.write_table(rows.rechunk().to_arrow(), row_group_size=GROUP_ROWS)

    def _taken(self) -> bytes:
        """What was written since, out of memory; the writer counts positions by itself."""
        content = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return content


def _columns(rows: pl.DataFrame) -> pl.DataFrame:
    return conform(rows.select(name for name in rows.columns if name in ROW)).select(COLUMNS)


def _message(value: Any) -> Message:
    fields = object_of(value, "a message")
    texts = ("text", "reasoning", "tool_calls", "tool_call_id", "name")
    given = {name: optional_text(fields.get(name), name) for name in texts}
    return Message(
        text_of(fields.get("role"), "role"),
        media=tuple(_medium(each) for each in list_of(fields.get("media"), "media")),
        weight=number_of(fields.get("weight"), "weight"),
        **cast(dict[str, Any], given),
    )


def _medium(value: Any) -> Media:
    fields = object_of(value, "a medium")
    at = number_of(fields.get("at"), "at")
    return Media(
        text_of(fields.get("kind"), "kind"),
        text_of(fields.get("path"), "path"),
        optional_text(fields.get("sha256"), "sha256"),
        None if at is None else int(at),
    )


def _alternative(value: Any) -> Alternative:
    fields = object_of(value, "an alternative")
    rank = number_of(fields.get("rank"), "rank")
    messages: Sequence[Any] = list_of(fields.get("messages"), "messages of an alternative")
    return Alternative(
        tuple(_message(each) for each in messages),
        text_of(fields.get("kind"), "kind"),
        None if rank is None else int(rank),
        number_of(fields.get("score"), "score"),
    )


def _extra(value: Any) -> dict[str, Any]:
    text = optional_text(value, "extra")
    try:
        found: Any = read_extra(text)
    except ValueError as error:
        raise Unreadable(
            "broken_json_text", f"extra holds no JSON: {value!r:.60}; an object is needed"
        ) from error
    return object_of(found, "extra")
