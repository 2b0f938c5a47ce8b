"""One request as it goes over the wire: where its replies are stored, and the most that it can cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from zhiling.llm.role import Role
from zhiling.llm.store import Slot
from zhiling.llm.wire import ChatRequest, Json, Request

_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_CALL = 64
"""Marks that a chat template puts around messages, generously."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request with the places of its replies.

    Attributes:
        path: the kind of call, as in the endpoint's addresses.
        body: what is sent.
        slots: where its replies are stored, in their order.
        most_prompt: tokens of the prompt, at most: no tokenizer makes more tokens than there are bytes.
        most_completion: tokens of all replies together, at most.
    """

    path: str
    body: bytes
    slots: tuple[Slot, ...]
    most_prompt: int
    most_completion: int

    @property
    def likely_tokens(self) -> int:
        """What counts against a limit per minute: the prompt at three bytes a token, and the most replies."""
        return self.most_prompt // 3 + self.most_completion


def asked_body(role: Role, body: Json) -> Json:
    """A request as the role sends it, in the form that the key in the store is made of."""
    made = {"model": role.model} | body | role.extra
    if "messages" in made or "prompt" in made:
        made.setdefault("max_tokens", role.max_tokens)
    return made


def sampling_call(role: Role, body: Json, slots: Sequence[Slot], most_prompt: int) -> Call:
    """One request for some samples of a chat or completion."""
    path = "chat/completions" if "messages" in body else "completions"
    sent = dict(body)
    limit = sent.pop("max_tokens")
    sent[role.max_tokens_field] = limit
    if len(slots) > 1:
        sent["n"] = len(slots)
    if "seed" in sent:
        sent["seed"] += slots[0].sample
    if role.stream:
        sent |= {"stream": True, "stream_options": {"include_usage": True}}
    return Call(path, orjson.dumps(sent), tuple(slots), most_prompt, limit * len(slots))


def with_samples(call: Call, slots: Sequence[Slot]) -> Call:
    """The same call for some of its slots."""
    body: Json = orjson.loads(call.body)
    body.pop("n", None)
    if len(slots) > 1:
        body["n"] = len(slots)
    each = call.most_completion // len(call.slots)
    return Call(call.path, orjson.dumps(body), tuple(slots), call.most_prompt, each * len(slots))


def samples_per_call(role: Role, body: Mapping[str, Any]) -> int:
    """How many samples one request may ask for: one where each has a seed of its own."""
    return 1 if "seed" in body else role.samples_per_call


def most_prompt_tokens(role: Role, request: Request, body: bytes) -> int:
    """An upper bound of the prompt's tokens.

    Byte-level tokenizers make at most a token a byte; what the chat template adds is allowed for, and a
    picture counts as the role says.
    """
    most = len(body) + _TOKENS_PER_CALL
    if isinstance(request, ChatRequest):
        for message in request.messages:
            most += _TOKENS_PER_MESSAGE
            if not isinstance(message.content, str):
                pictures = [part.url for part in message.content if not isinstance(part, str)]
                most += len(pictures) * role.image_tokens - sum(map(len, pictures))
    return most
