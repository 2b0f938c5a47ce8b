"""Replies that travel piece by piece (server-sent events), put together to what would have come in one piece.

Source: the Server-sent events section of the HTML standard, as far as the OpenAI protocol uses it: lines
`data: {...}`, at the end `data: [DONE]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from zhiling.llm.reply import NotTheProtocol


class Assembler:
    """Takes bytes as they come; `answer()` is the whole."""

    def __init__(self) -> None:
        self._rest = b""
        self._choices: dict[int, dict[str, Any]] = {}
        self._head: dict[str, Any] = {}
        self.done = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            NotTheProtocol: an event that is no JSON object, or that tells of an error.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._event(line[5:].strip())

    def answer(self) -> dict[str, Any]:
        """The answer as it would have come in one piece.

        Raises:
            NotTheProtocol: the stream broke off before its end.
        """
        if not self.done and not self._finished():
            raise NotTheProtocol("the stream broke off before its end")
        return self._head | {"choices": [_whole(choice) for _, choice in sorted(self._choices.items())]}

    def _finished(self) -> bool:
        """Some servers leave out the last event."""
        return bool(self._choices) and all(choice["finish_reason"] for choice in self._choices.values())

    def _event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.done = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise NotTheProtocol("an event of the stream is no JSON") from None
        if not isinstance(event, dict):
            raise NotTheProtocol("an event of the stream is no object")
        told = cast(dict[str, Any], event)
        if told.get("error"):
            raise NotTheProtocol(f"the server broke off: {told['error']}")
        self._head |= {name: told[name] for name in ("model", "usage") if told.get(name)}
        for choice in cast(list[dict[str, Any]], told.get("choices") or []):
            self._piece(choice)

    def _piece(self, choice: Mapping[str, Any]) -> None:
        index = int(choice.get("index", 0))
        held = self._choices.setdefault(
            index, {"index": index, "finish_reason": None, "texts": {}, "calls": {}, "logprobs": []}
        )
        held["finish_reason"] = choice.get("finish_reason") or held["finish_reason"]
        delta: Mapping[str, Any] = choice.get("delta") or (
            {"text": choice["text"]} if choice.get("text") else {}
        )
        for name in ("content", "text", "reasoning_content", "reasoning", "refusal"):
            if delta.get(name):
                held["texts"].setdefault(name, []).append(delta[name])
        for call in delta.get("tool_calls") or ():
            _add_call(held["calls"], call)
        told: Mapping[str, Any] = choice.get("logprobs") or {}
        held["logprobs"] += told.get("content") or []


def _add_call(calls: dict[int, dict[str, Any]], piece: Mapping[str, Any]) -> None:
    call = calls.setdefault(int(piece.get("index", 0)), {"id": "", "name": "", "arguments": []})
    function: Mapping[str, Any] = piece.get("function") or {}
    call["id"] = piece.get("id") or call["id"]
    call["name"] = function.get("name") or call["name"]
    call["arguments"].append(function.get("arguments") or "")


def _whole(held: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {name: "".join(pieces) for name, pieces in held["texts"].items()}
    if held["calls"]:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
            }
            for _, call in sorted(held["calls"].items())
        ]
    choice = {"index": held["index"], "message": message, "finish_reason": held["finish_reason"]}
    return choice | ({"logprobs": {"content": held["logprobs"]}} if held["logprobs"] else {})
