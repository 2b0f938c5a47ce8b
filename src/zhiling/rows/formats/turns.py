"""Lists of messages in a record, read in every common spelling: OpenAI's, ShareGPT's, LLaMA-Factory v1's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from zhiling.rows.formats.checks import list_of, number_of, object_of, optional_text, text_of
from zhiling.rows.formats.draft import Message, Unreadable
from zhiling.rows.formats.parts import read_parts
from zhiling.rows.formats.tool_calls import read_bare, read_calls

ROLES = {
    "user": "user", "human": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant",
    "model": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "observation": "tool", "function": "tool",
    "function_call": "call", "tool_call": "call",
    "document": "document",
}  # fmt: skip
"""Speaker → role; a `call` is an assistant's message whose content is the call itself."""

USUAL = frozenset(
    {"user", "human", "assistant", "gpt", "system", "tool", "observation", "function_call", "document"}
)
"""Speakers that are written from the role alone; another spelling is noted."""

WEIGHTS = ("weight", "loss_weight")
REASONING = ("reasoning", "reasoning_content")
_READ = frozenset({"tool_calls", "tool_call_id", "name", *WEIGHTS, *REASONING})
_SPOKEN = frozenset({"role", "from", "content", "value"})


def read_turns(value: Any, field: str) -> list[Message]:
    """The messages of a list.

    Raises:
        Unreadable: no list, an empty one (`no_messages`), or a message that cannot be read.
    """
    turns = list_of(value, field)
    if not turns:
        raise Unreadable("no_messages", f"{field} is empty; a list of messages is needed")
    messages = [read_turn(turn, f"{field}[{index}]") for index, turn in enumerate(turns)]
    contents = [cast(dict[str, Any], turn).get("content") for turn in turns]
    listed = [isinstance(content, list) for content in contents]
    if any(listed) and any(isinstance(content, str) for content in contents):
        return [_in_parts(each) if parts else each for each, parts in zip(messages, listed, strict=True)]
    return messages


def _in_parts(message: Message) -> Message:
    """A message that notes that it is a list of parts, where others beside it are texts."""
    return message if message.media else message._replace(notes={**(message.notes or {}), "parts": True})


def read_turn(turn: Any, field: str) -> Message:
    """One message; `field` says in problems which."""
    fields = object_of(turn, field)
    role_key = "from" if fields.get("role") is None else "role"
    content_key = "value" if fields.get("content") is None else "content"
    speaker = text_of(fields.get(role_key), f"{field}.{role_key}")
    role = ROLES.get(speaker.strip().casefold())
    if role is None:
        message = f"{field} is said by {speaker!r}; known: {', '.join(ROLES)}"
        raise Unreadable("unknown_role", message)
    said = _said(role, fields.get(content_key), f"{field}.{content_key}")
    further = {
        name: value
        for name, value in fields.items()
        if name not in _READ and name not in _SPOKEN and value is not None
    }
    if speaker not in USUAL:
        further[role_key] = speaker
    return _with_fields(said, fields, further)


def _said(role: str, content: Any, field: str) -> Message:
    if role == "call":
        return Message("assistant", tool_calls=read_bare([content]))
    if isinstance(content, list):
        return read_parts(role, list_of(content, field))
    return Message(role, optional_text(content, field))


def _with_fields(said: Message, fields: Mapping[str, Any], further: dict[str, Any]) -> Message:
    """The message with what stands beside its content."""
    if not further and fields.keys() <= _SPOKEN:
        return said
    notes = dict(said.notes or {})
    if further:
        notes["fields"] = further
    weight = next((fields[name] for name in WEIGHTS if fields.get(name) is not None), None)
    reasoning = next((fields[name] for name in REASONING if fields.get(name)), None)
    return said._replace(
        reasoning=said.reasoning if reasoning is None else text_of(reasoning, "reasoning"),
        tool_calls=said.tool_calls or read_calls(fields.get("tool_calls")),
        tool_call_id=optional_text(fields.get("tool_call_id"), "tool_call_id"),
        name=optional_text(fields.get("name"), "name"),
        weight=number_of(weight, "weight"),
        notes=notes or None,
    )
