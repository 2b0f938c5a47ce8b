"""What formats of JSON Lines share: a record a row or more, `extra` as fields of its own, media, tools."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import orjson
import polars as pl
from pydantic import Field

from zhiling.rows.formats.checks import json_text
from zhiling.rows.formats.draft import INPUT_LINES, MARKERS, REPLY_MESSAGES, Draft, drafts_of
from zhiling.rows.formats.exchange import Exchange
from zhiling.rows.formats.format import Format
from zhiling.rows.formats.placeholders import LISTS, take_media, with_marks

SHARED_FIELDS = frozenset({"tools", *LISTS})
_BORDERS = {INPUT_LINES: "input_border", REPLY_MESSAGES: "reply_border"}


class _Form(NamedTuple):
    """What a form holds, which fields it uses and whether its media are placeholders: asked once a batch."""

    holds: frozenset[str]
    own: frozenset[str]
    marked: bool


class JsonLines(Format):
    """One object a line. A field of the row's `extra` that the format uses itself is counted as lost."""

    OWN: ClassVar[frozenset[str]] = frozenset()

    with_id: bool = Field(default=False, description="each line begins with the row's `id`")
    extra: bool | tuple[str, ...] = Field(
        default=True,
        description="fields of the row's `extra` that become fields of the line: all, none, or these",
    )

    @abstractmethod
    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The records of one row, `tools` and media lists left out; `lost` grows by what they cannot hold."""

    @abstractmethod
    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record; tools, listed media and `extra` are added afterwards."""

    def holds(self) -> frozenset[str]:
        """What this form has a place for: media, alternatives, tools, input_border, reply_border."""
        return frozenset({"media", "tools"})

    def marked(self) -> bool:
        """Whether media are placeholders in the texts, with lists beside them."""
        return True

    def tools_of(self, tools: str) -> Any:
        """The value of `tools`: a text that holds JSON."""
        return tools

    def own_fields(self) -> frozenset[str]:
        """Fields that the format gives a meaning."""
        return self.OWN | SHARED_FIELDS

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The lines of these rows; see `Format.encode`."""
        exchange = Exchange.of(rows)
        exchange.count_losses(losses, holds=self.holds())
        ids = exchange.rows["id"].to_list()
        return self.lines(ids, drafts_of(exchange.rows, exchange.flat), losses)

    def lines(self, ids: Sequence[str | None], drafts: Iterable[Draft], losses: Counter[str]) -> bytes:
        """The lines of these rows, whose ids are given."""
        form = _Form(self.holds(), self.own_fields(), self.marked())
        return b"".join(
            self._line(draft, name, form, losses) for name, draft in zip(ids, drafts, strict=True)
        )

    def _line(self, draft: Draft, name: str | None, form: _Form, losses: Counter[str]) -> bytes:
        """The line or lines of one row."""
        lost: set[str] = set()
        shared: dict[str, Any] = {}
        holds = form.holds
        if draft.tools is not None:
            if "tools" in holds:
                shared["tools"] = self.tools_of(draft.tools)
            else:
                lost.add("tools")
        if draft.extra:
            lost |= {told for each, told in _BORDERS.items() if each in draft.extra and told not in holds}
        if "media" in holds and form.marked:
            draft, lists = with_marks(draft, lost)
            shared |= lists
        head = {"id": name} if self.with_id else {}
        lines: list[bytes] = []
        for record in self.records(draft, lost):
            whole = {**head, **record, **shared}
            if draft.extra and self.extra is not False:
                self._add_extra(whole, draft.extra, form.own, lost)
            lines.append(orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE))
        losses.update(lost)
        return b"".join(lines)

    def decode(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record; see `Format.decode`."""
        draft = self.read(record)
        own = self.own_fields()
        extra = {name: value for name, value in record.items() if name not in own and value is not None}
        for name in MARKERS & extra.keys():  # the record's own field of that name is told as another
            extra[f"{name}_2"] = extra.pop(name)
        draft.extra = {**extra, **draft.extra}
        if not SHARED_FIELDS.isdisjoint(own):
            draft.tools = json_text(record.get("tools"), "tools")
            take_media(draft, record)
        return draft

    def fields(self, rows: pl.DataFrame) -> frozenset[str]:
        """`tools` and the lists of media that these rows fill; see `Format.fields`."""
        found = {"tools"} if "tools" in rows.columns and rows["tools"].count() else set[str]()
        if self.marked() and "messages" in rows.columns:
            media = rows["messages"].explode(empty_as_null=False, keep_nulls=False).struct.field("media")
            kinds = media.explode(empty_as_null=False, keep_nulls=False).struct.field("kind").unique()
            found |= {name for name, kind in LISTS.items() if kind in kinds}
        return frozenset(found & (self.holds() | set(LISTS)))

    def _add_extra(
        self, record: dict[str, Any], extra: Mapping[str, Any], own: frozenset[str], lost: set[str]
    ) -> None:
        for name, value in extra.items():
            if name in MARKERS or (isinstance(self.extra, tuple) and name not in self.extra):
                continue
            if name in own or name in record:
                lost.add(f"extra.{name}")
            else:
                record[name] = value


def understood(fields: Mapping[str, type], own: Collection[str]) -> int:
    """How many of a record's fields a format knows."""
    return sum(name in own for name in fields)


def info_entry(file_name: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """An entry of `dataset_info.json`."""
    return {"file_name": file_name, **more, "columns": dict(columns)}
