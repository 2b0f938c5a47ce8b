r"""Tool calls in their two spellings: OpenAI's list, which the record keeps, and LLaMA-Factory's bare object.

[{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\"q\": 1}"}}]
{"name": "find", "arguments": {"q": 1}}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import orjson

from zhiling.rows.formats.checks import list_of, noun, object_of
from zhiling.rows.formats.draft import Unreadable


def read_calls(value: Any) -> str | None:
    """`tool_calls` of a message as the record keeps them; None where there are none."""
    calls = list_of(value, "tool_calls")
    for call in calls:
        object_of(call, "a call in tool_calls")
    return orjson.dumps(calls).decode() if calls else None


def read_bare(values: Sequence[Any]) -> str:
    """Bare calls (texts that hold JSON, or objects) as the record keeps them.

    Raises:
        Unreadable: a text that is no JSON, or an object that is no call (`broken_tool_call`).
    """
    calls: list[Any] = []
    for value in values:
        parsed = _parsed(value)
        calls += cast(list[Any], parsed) if isinstance(parsed, list) else [parsed]
    return orjson.dumps([_full(call) for call in calls]).decode()


def bare(tool_calls: str, lost: set[str]) -> list[str]:
    """Calls of the record as bare texts; what else they hold (ids) is lost."""
    spelled: list[str] = []
    for call in _listed(tool_calls):
        function = cast(dict[str, Any], call.get("function") or {})
        if set(call) - {"type", "function"} or set(function) - {"name", "arguments"}:
            lost.add("tool_call_id")
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) and _is_json(arguments) else _dumped(arguments)
        spelled.append(f'{{"name": {_dumped(function.get("name"))}, "arguments": {text}}}')
    return spelled


def _listed(tool_calls: str) -> list[dict[str, Any]]:
    """The calls of a message; a row may come from a plug-in, so what is no call becomes one without name."""
    parsed = orjson.loads(tool_calls)
    calls = cast(list[Any], parsed) if isinstance(parsed, list) else [parsed]
    return [
        cast(dict[str, Any], call) if isinstance(call, dict) else {"function": {"arguments": call}}
        for call in calls
    ]


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        message = f'a tool call is no JSON ({error.msg}): {value!r:.60}; {{"name", "arguments"}} is needed'
        raise Unreadable("broken_tool_call", message) from error


def _full(call: Any) -> dict[str, Any]:
    fields = cast(dict[str, Any], call) if isinstance(call, dict) else {}
    if not isinstance(fields.get("name"), str):
        shown = f"{noun(call)} ({call!r:.60})"
        raise Unreadable("broken_tool_call", f'a tool call is {shown}; {{"name", "arguments"}} is needed')
    further = {name: value for name, value in fields.items() if name not in ("name", "arguments")}
    function = {"name": fields["name"], "arguments": _dumped(fields.get("arguments"))}
    return {"type": "function", "function": function, **further}


def _dumped(value: Any) -> str:
    """JSON with spaces behind commas and colons, as the standard library and LLaMA-Factory spell it."""
    return json.dumps(value, ensure_ascii=False)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
