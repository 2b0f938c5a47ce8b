"""Replies of the OpenAI wire protocol: what is read of them, and the form in which they are stored.

A server's answer to one request holds one choice a sample, or one vector a text. Each becomes a payload of
its own (`payloads`), because each is stored under a key of its own; `read_reply` and `read_vector` read them
back. So a reply from the store and one from the wire cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from zhiling.llm.wire import ToolCall


class NotTheProtocol(ValueError):
    """An answer that holds not what the protocol promises; says what is missing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a server counted."""

    prompt: int
    completion: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class TokenChance:
    """A token of the reply and the log-probability (nats) that it had; `others` could have stood there."""

    token: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model replied.

    Attributes:
        finish_reason: why it ended: `stop`, `length`, `tool_calls`, `content_filter`, or a server's own word.
        model: the name that the server gave itself.
        stored: it was read from the store: nothing was sent.
    """

    text: str
    finish_reason: str
    model: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    logprobs: tuple[TokenChance, ...] = ()
    stored: bool = False


def usage_of(answer: Mapping[str, Any]) -> Usage | None:
    """The tokens that the answer counts; None where the server does not count."""
    found = answer.get("usage")
    if not isinstance(found, dict):
        return None
    counts = cast(dict[str, Any], found)
    prompt, completion = counts.get("prompt_tokens"), counts.get("completion_tokens", 0)
    if not isinstance(prompt, int) or not isinstance(completion, int):
        return None
    return Usage(max(0, prompt), max(0, completion))


def payloads(path: str, answer: Any, expected: int) -> list[bytes]:
    """One stored reply a sample or text, in order.

    Raises:
        NotTheProtocol: something is missing, or there are more or fewer than were asked for.
    """
    if not isinstance(answer, dict):
        raise NotTheProtocol(f"a JSON {type(answer).__name__} instead of an object")
    tree = cast(dict[str, Any], answer)
    name = "data" if path == "embeddings" else "choices"
    items = tree.get(name)
    if not isinstance(items, list) or len(cast(list[Any], items)) != expected:
        raise NotTheProtocol(f"`{name}` does not hold {expected} items")
    listed = cast(list[Any], items)
    if not all(isinstance(item, dict) for item in listed):
        raise NotTheProtocol(f"`{name}` holds something else than objects")
    ordered = sorted(cast(list[dict[str, Any]], listed), key=_index) if expected > 1 else listed
    if path == "embeddings":
        return _vectors(ordered)
    model = tree.get("model")
    return [_choice(item, model if isinstance(model, str) else "") for item in ordered]


def _index(item: Mapping[str, Any]) -> int:
    index = item.get("index", 0)
    return index if isinstance(index, int) else 0


def _choice(choice: Mapping[str, Any], model: str) -> bytes:
    message = choice.get("message", choice)
    if not isinstance(message, dict):
        raise NotTheProtocol("a choice without `message`")
    held = cast(dict[str, Any], message)
    text = held.get("content", held.get("text"))
    if isinstance(text, list):  # parts, as some servers write them
        text = "".join(str(part["text"]) for part in cast(list[dict[str, Any]], text) if "text" in part)
    if text is not None and not isinstance(text, str):
        raise NotTheProtocol(f"the text of a choice is a {type(text).__name__}")
    made: dict[str, Any] = {"text": text or "", "finish": choice.get("finish_reason") or "", "model": model}
    for name in ("tool_calls", "refusal", "reasoning_content", "reasoning"):
        if held.get(name):
            made[name] = held[name]
    if choice.get("logprobs"):
        made["logprobs"] = choice["logprobs"]
    return orjson.dumps(made)


def read_reply(payload: bytes, *, stored: bool = False) -> Reply:
    """A stored reply.

    Raises:
        NotTheProtocol: tool calls or log-probabilities in no form that is known.
    """
    made: dict[str, Any] = orjson.loads(payload)
    if len(made) == 3:  # the most common one: text only
        return Reply(made["text"], made["finish"], made["model"], stored=stored)
    try:
        return Reply(
            made["text"], made["finish"], made["model"],
            tool_calls=tuple(_tool_call(call) for call in made.get("tool_calls", ())),
            reasoning=str(made.get("reasoning_content") or made.get("reasoning") or ""),
            refusal=str(made.get("refusal") or ""),
            logprobs=_chances(made.get("logprobs") or {}), stored=stored,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise NotTheProtocol(f"a reply with tool calls or logprobs that cannot be read ({error})") from None


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call["function"]
    return ToolCall(str(call.get("id") or ""), str(function["name"]), str(function.get("arguments") or ""))


def _chances(told: Mapping[str, Any]) -> tuple[TokenChance, ...]:
    """Both forms: a list of objects (chat), and parallel lists (completions)."""
    if told.get("content"):
        return tuple(
            TokenChance(
                each["token"], float(each["logprob"]),
                tuple((other["token"], float(other["logprob"])) for other in each.get("top_logprobs") or ()),
            )
            for each in told["content"]
        )  # fmt: skip
    tokens, values = told.get("tokens") or (), told.get("token_logprobs") or ()
    tops: Sequence[Any] = told.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        TokenChance(
            token,
            float("nan") if value is None else float(value),
            tuple(cast(dict[str, float], top or {}).items()),
        )
        for token, value, top in zip(tokens, values, tops, strict=True)
    )


def _vectors(items: Sequence[Mapping[str, Any]]) -> list[bytes]:
    made: list[bytes] = []
    for item in items:
        try:
            vector = np.asarray(item.get("embedding"), dtype="<f4")
        except (TypeError, ValueError):
            raise NotTheProtocol("an `embedding` that is no list of numbers") from None
        if vector.ndim != 1 or not len(vector) or not np.isfinite(vector).all():
            raise NotTheProtocol("an `embedding` that is no list of finite numbers")
        made.append(vector.tobytes())
    return made


def read_vector(payload: bytes) -> NDArray[np.float32]:
    """A stored vector, float32 (dimension,)."""
    return np.frombuffer(payload, dtype="<f4").astype(np.float32)
