"""What formats share whose messages are OpenAI's objects: `{"role", "content", …}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self, cast

import orjson
import polars as pl
from pydantic import Field

from zhiling.rows.formats.checks import list_of
from zhiling.rows.formats.draft import Message
from zhiling.rows.formats.json_lines import JsonLines
from zhiling.rows.formats.parts import parts_of
from zhiling.rows.formats.placeholders import LISTS

UNLISTED = frozenset({"tool_calls", "media"})
"""Fields inside messages that LLaMA-Factory does not read there."""


class Spoken(JsonLines):
    """Messages as objects."""

    content: Literal["openai", "parts", "values", "placeholders"] = Field(
        default="openai",
        description="content of a message. `openai`: a text, or parts where it has media; `parts`: always "
        "OpenAI's parts; `values`: LLaMA-Factory v1's parts, reasoning and tool calls among them; "
        "`placeholders`: a text with `<image>`, and lists of media beside the messages",
    )
    reasoning: Literal["reasoning", "reasoning_content"] = Field(
        default="reasoning", description="field of a message that holds its reasoning"
    )

    def marked(self) -> bool:
        """See `JsonLines.marked`."""
        return self.content == "placeholders"

    def tools_of(self, tools: str) -> Any:
        """A list of schemas; v1 has a text that holds JSON."""
        return tools if self.content == "values" else orjson.loads(tools)

    def fields(self, rows: pl.DataFrame) -> frozenset[str]:
        """`tools` and lists of media; UNLISTED names of what stands inside messages; see `Format.fields`."""
        spoken = rows["messages"].explode(empty_as_null=False, keep_nulls=False)
        found = {"tool_calls"} if spoken.struct.field("tool_calls").count() else set[str]()
        if not self.marked() and (spoken.struct.field("media").list.len() > 0).any():
            found.add("media")
        return super().fields(rows) | found

    def spoken(self, messages: Iterable[Message], lost: set[str]) -> list[dict[str, Any]]:
        """Messages as objects."""
        return [self.message(message, lost) for message in messages]

    def message(self, message: Message, lost: set[str]) -> dict[str, Any]:
        """One message as an object; fields without value are left out."""
        values = self.content == "values"
        written: dict[str, Any] = {"role": message.role, "content": self._content(message, lost)}
        if message.reasoning is not None and not values:
            written[self.reasoning] = message.reasoning
        for name in ("tool_call_id", "name"):
            if getattr(message, name) is not None:
                written[name] = getattr(message, name)
        if message.weight is not None:
            written["loss_weight" if values else "weight"] = message.weight
        if message.tool_calls is not None and not values:
            written["tool_calls"] = orjson.loads(message.tool_calls)
        return with_noted(written, message, "role")

    def notation_of(self, messages: Sequence[Any], lists: Iterable[str]) -> Self:
        """These settings, with how these messages are written.

        Args:
            messages: as they stand in a record.
            lists: the record's fields.
        """
        turns = [cast(dict[str, Any], each) for each in messages if isinstance(each, dict)]
        settings: dict[str, Any] = {}
        if any("reasoning_content" in turn for turn in turns):
            settings["reasoning"] = "reasoning_content"
        contents = [turn.get("content") for turn in turns]
        listed = [cast(list[Any], content) for content in contents if isinstance(content, list)]
        parts = [cast(dict[str, Any], part) for each in listed for part in each if isinstance(part, dict)]
        if any("value" in part for part in parts):
            settings["content"] = "values"
        elif any(isinstance(content, str) for content in contents):
            settings["content"] = "openai" if listed or LISTS.keys().isdisjoint(lists) else "placeholders"
        elif listed:
            settings["content"] = "parts"
        return self.model_copy(update=settings)

    def _content(self, message: Message, lost: set[str]) -> Any:
        notes = message.notes or {}
        in_parts = self.content == "openai" and (message.media or notes.get("parts"))
        if self.content in ("parts", "values") or in_parts:
            if self.content == "values" and "details" in notes:
                lost.add("media_detail")
            if self.content == "values":
                return parts_of(message, "values", lost)
            return None if message.text is None and not message.media else parts_of(message, "openai", lost)
        if "cuts" in notes or "parts" in notes:
            lost.add("part_borders")
        if "details" in notes:
            lost.add("media_detail")
        return message.text


def with_noted(written: dict[str, Any], message: Message, role_key: str) -> dict[str, Any]:
    """A message's object with the further fields that it was read with; its speaker as spelled there."""
    noted = (message.notes or {}).get("fields")
    if isinstance(noted, dict):
        for name, value in cast(Mapping[str, Any], noted).items():
            if name == role_key or (name not in written and name not in ("role", "from")):
                written[name] = value
    return written


def turns_in(record: Mapping[str, Any], *fields: str) -> list[Any]:
    """All messages that these fields of a record list, as they stand there."""
    found: list[Any] = []
    for field in fields:
        value = record.get(field)
        found += list_of(value, field) if isinstance(value, list) else []
    return found
