"""Whether a reply is what was asked for: whole, not a refusal, JSON where JSON was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from zhiling.llm.failures import CallFailure, FailureClass
from zhiling.llm.reply import NotTheProtocol, Reply, read_reply
from zhiling.llm.wire import Request


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a reply that came whole: a class of the caller's own, and why, for people."""

    cls: str
    message: str


Accept = Callable[[Any], Complaint | str | None]
"""From the parsed JSON (or the text, where none was asked for) to what is wrong with it, or None."""
Outcome = Reply | CallFailure

_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ask:
    """One reply that somebody wants.

    Attributes:
        request: what is asked.
        sample: which of its samples; equal requests with equal sample numbers are one reply.
        attempt: 0; a higher number asks so many times anew, as long as every stored reply is a failure
            (`run --retry-failed`). A good reply that is stored counts, whichever attempt it came by.
        accept: what the caller demands of the reply; its complaint is the failure `schema`, of the class
            that it names where it names one.
        whole: whether a reply that was cut at `max_tokens` is a failure.
    """

    request: Request
    sample: int = 0
    attempt: int = 0
    accept: Accept | None = None
    whole: bool = True


def judged(payload: bytes, ask: Ask, *, stored: bool) -> Outcome:
    """The reply, or why it is none."""
    try:
        reply = read_reply(payload, stored=stored)
    except NotTheProtocol as error:
        return CallFailure(FailureClass.BAD_JSON, str(error))
    if reply.refusal or reply.finish_reason == "content_filter":
        return CallFailure(FailureClass.REFUSAL, reply.refusal or "the server's filter", text=reply.text)
    if reply.finish_reason == "length" and ask.whole:
        most = ask.request.sampling.max_tokens
        return CallFailure(
            FailureClass.TRUNCATED, f"cut at {most or 'the role’s'} max_tokens", text=reply.text
        )
    if not reply.text.strip() and not reply.tool_calls:
        return CallFailure(FailureClass.EMPTY, "an empty reply")
    return _accepted(reply, ask)


def _accepted(reply: Reply, ask: Ask) -> Outcome:
    value: Any = reply.text
    if ask.request.json is not None and not reply.tool_calls:
        try:
            value = json_of(reply.text)
        except orjson.JSONDecodeError as error:
            return CallFailure(FailureClass.BAD_JSON, f"the reply is no JSON: {error}", text=reply.text)
    problem = ask.accept(value) if ask.accept else None
    if problem is None:
        return reply
    reason, message = (problem.cls, problem.message) if isinstance(problem, Complaint) else ("", problem)
    return CallFailure(FailureClass.SCHEMA, message, text=reply.text, reason=reason)


def json_of(text: str) -> Any:
    """The JSON of a reply, also where the model put it into a fenced block.

    Raises:
        orjson.JSONDecodeError: it is none.
    """
    fenced = _FENCE.fullmatch(text)
    return orjson.loads(fenced[1] if fenced else text)
