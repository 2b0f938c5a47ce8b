"""Calls of tools in a conversation: each names a known tool, with arguments that fit, and is answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import orjson

from zhiling.errors import UsageError
from zhiling.verification.replies import Messages
from zhiling.verification.schemas import broken_rule


class Fault(StrEnum):
    """Why a row is rejected: its tools, its calls, their results, or a reply in JSON."""

    BROKEN_TOOLS = "broken_tools"
    BROKEN_CALL = "broken_call"
    UNKNOWN_TOOL = "unknown_tool"
    WRONG_ARGUMENTS = "wrong_arguments"
    UNANSWERED_CALL = "unanswered_call"
    STRAY_RESULT = "stray_result"
    WRONG_REPLY = "wrong_reply"


Found = Iterator[tuple[Fault, str]]


@dataclass(frozen=True)
class Call:
    """A call: its id, where it has one, the tool's name and the arguments, None where they are no object."""

    id: str | None
    tool: str
    arguments: Mapping[str, Any] | None


def read_tools(document: str | None) -> Mapping[str, Any] | str | None:
    """Name → schema of its arguments, of OpenAI's list of tools or of bare functions; or why it is neither.

    None where no tools are told; then calls are judged by their form alone.
    """
    if document is None or not document.strip():
        return None
    try:
        listed: Any = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        return f"tools are no JSON: {error.msg}"
    if not isinstance(listed, list):
        return f"tools are a list of objects, got {document!r:.60}"
    schemas: dict[str, Any] = {}
    for each in cast(list[Any], listed):
        function = cast(dict[str, Any], each).get("function", each) if isinstance(each, dict) else None
        name = cast(dict[str, Any], function).get("name") if isinstance(function, dict) else None
        if not isinstance(name, str):
            return f"a tool has a name, got {each!r:.60}"
        schemas[name] = cast(dict[str, Any], function).get("parameters") or {}
    return schemas


def read_calls(document: str) -> list[Call] | str:
    """The calls of a message, in OpenAI's form or bare; or why they cannot be read."""
    try:
        listed: Any = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        return f"calls are no JSON: {error.msg}"
    calls: list[Call] = []
    for each in cast(list[Any], listed if isinstance(listed, list) else [listed]):
        fields = cast(dict[str, Any], each) if isinstance(each, dict) else {}
        function: Any = fields.get("function", fields)
        if not isinstance(function, dict) or not isinstance(cast(dict[str, Any], function).get("name"), str):
            return f"a call names its function, got {each!r:.60}"
        named = cast(dict[str, Any], function)
        calls.append(Call(fields.get("id"), named["name"], _arguments(named.get("arguments"))))
    return calls


def _arguments(value: Any) -> Mapping[str, Any] | None:
    """An object, or a text that holds one; nothing at all is an empty one."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value) if value.strip() else {}
        except orjson.JSONDecodeError:
            return None
    if value is None:
        return {}
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else None


def faults(messages: Messages, tools: str | None, *, unnamed: bool = False) -> Found:
    """What is wrong with the calls of a conversation.

    Args:
        messages: of the record; a call has its results in the `tool` messages behind it.
        tools: the record's tools.
        unnamed: whether arguments may stand that a schema does not name and does not allow itself.
    """
    schemas = read_tools(tools)
    if isinstance(schemas, str):
        yield Fault.BROKEN_TOOLS, schemas
        schemas = None
    waiting: list[Call] = []
    for number, turn in enumerate(messages):
        where = f"message {number}"
        if turn["role"] == "tool":
            yield from _answered(waiting, turn["tool_call_id"], where)
            continue
        if turn["role"] == "assistant":
            yield from ((Fault.UNANSWERED_CALL, f"{where}: {call.tool!r} has no result") for call in waiting)
            waiting = []
        if turn["tool_calls"]:
            calls = read_calls(turn["tool_calls"])
            if isinstance(calls, str):
                yield Fault.BROKEN_CALL, f"{where}: {calls}"
                continue
            for call in calls:
                yield from _misfit(call, schemas, where, unnamed=unnamed)
            waiting = calls


def _answered(waiting: list[Call], id: str | None, where: str) -> Found:
    """Takes the call that a result answers: that of its id, or the first where either has none."""
    call = next((each for each in waiting if id is None or each.id is None or each.id == id), None)
    if call is None:
        yield Fault.STRAY_RESULT, f"{where}: a result of {id!r} answers no call"
    else:
        waiting.remove(call)


def _misfit(call: Call, schemas: Mapping[str, Any] | None, where: str, *, unnamed: bool) -> Found:
    if call.arguments is None:
        yield Fault.BROKEN_CALL, f"{where}: the arguments of {call.tool!r} are no JSON object"
        return
    if schemas is None:
        return
    if call.tool not in schemas:
        yield Fault.UNKNOWN_TOOL, f"{where}: {call.tool!r} is none of {', '.join(schemas) or 'no tools'}"
        return
    schema = schemas[call.tool]
    try:
        broken = broken_rule(dict(call.arguments), schema)
    except UsageError as error:
        yield Fault.BROKEN_TOOLS, f"{call.tool}: {error}"
        return
    if broken:
        yield Fault.WRONG_ARGUMENTS, f"{where}: {call.tool}: {broken}"
    further: Sequence[str] = () if unnamed else _unnamed(call.arguments, schema)
    if further:
        yield Fault.WRONG_ARGUMENTS, f"{where}: {call.tool} has no argument {', '.join(map(repr, further))}"


def _unnamed(arguments: Mapping[str, Any], schema: Any) -> Sequence[str]:
    """Arguments that a schema of plain properties does not name."""
    if not isinstance(schema, dict):
        return []
    told = cast(dict[str, Any], schema)
    properties: Any = told.get("properties", {})
    open_ended = {"additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"} & set(told)
    if open_ended or not isinstance(properties, dict):
        return []
    return [name for name in arguments if name not in properties]
