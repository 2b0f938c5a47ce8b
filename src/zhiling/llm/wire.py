"""Requests of the OpenAI wire protocol: chat, completions and embeddings, as far as they are sent here.

    ChatRequest((Message("user", "What is a lock?"),), max_tokens=200).body()
    {"messages": [{"role": "user", "content": "What is a lock?"}], "max_tokens": 200}

What is unset is not sent, so a server's own default holds and no key in the store depends on ours.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from zhiling.errors import UsageError

Json = dict[str, Any]

_IMAGES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
"""First bytes of a file → its kind."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture inside a message: the address of one, or its bytes in a `data:` URL."""

    url: str

    @classmethod
    def read(cls, path: Path) -> Image:
        """The picture in a file.

        Raises:
            UsageError: neither PNG, JPEG, GIF nor WebP.
        """
        data = path.read_bytes()
        kind = next((kind for start, kind in _IMAGES.items() if data.startswith(start)), None)
        if kind is None:
            raise UsageError("not an image that models take", place=str(path), hint="PNG, JPEG, GIF or WebP")
        return cls(f"data:image/{kind};base64,{base64.b64encode(data).decode()}")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str

    def wire(self) -> Json:
        """As the protocol writes it."""
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }


@dataclass(frozen=True, slots=True)
class Message:
    """A turn: a text, or texts and pictures in order."""

    role: str
    content: str | tuple[str | Image, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    def wire(self) -> Json:
        """As the protocol writes it."""
        content = self.content if isinstance(self.content, str) else [_part(part) for part in self.content]
        line: Json = {"role": self.role, "content": content}
        if self.tool_calls:
            line["tool_calls"] = [call.wire() for call in self.tool_calls]
        return line | _given(tool_call_id=self.tool_call_id, name=self.name)


def _part(part: str | Image) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": part.url}}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; sample number s of a request with a seed is asked with seed + s."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def wire(self) -> Json:
        """As the protocol writes it."""
        return _given(
            temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens,
            stop=list(self.stop) or None, seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class JsonReply:
    """The reply is JSON, of this schema where one is given."""

    schema: Mapping[str, Any] | None = None
    name: str = "reply"

    def wire(self) -> Json:
        """As the protocol writes it."""
        if self.schema is None:
            return {"type": "json_object"}
        return {
            "type": "json_schema",
            "json_schema": {"name": self.name, "schema": dict(self.schema), "strict": True},
        }


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation that a model goes on with.

    Attributes:
        logprobs: how many of the likeliest tokens are told at each place of the reply; 0: only the chosen
            one; None: no log-probabilities.
    """

    path: ClassVar[str] = "chat/completions"

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    json: JsonReply | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | None = None
    logprobs: int | None = None

    def body(self) -> Json:
        """What is sent, without model, number of samples and streaming."""
        made: Json = {"messages": [message.wire() for message in self.messages]} | self.sampling.wire()
        if self.json is not None:
            made["response_format"] = self.json.wire()
        if self.tools:
            made["tools"] = [dict(tool) for tool in self.tools]
        if self.logprobs is not None:
            made["logprobs"] = True
        return made | _given(tool_choice=self.tool_choice, top_logprobs=self.logprobs or None)


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A text that a model goes on with, without roles."""

    path: ClassVar[str] = "completions"

    prompt: str
    sampling: Sampling = Sampling()
    logprobs: int | None = None

    @property
    def json(self) -> None:
        """A completion is never asked to be JSON."""

    def body(self) -> Json:
        """What is sent, without model, number of samples and streaming."""
        return {"prompt": self.prompt} | self.sampling.wire() | _given(logprobs=self.logprobs)


Request = ChatRequest | CompletionRequest


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts that become vectors, one each."""

    path: ClassVar[str] = "embeddings"

    texts: tuple[str, ...]
    dimensions: int | None = None

    def body(self) -> Json:
        """What is sent, without the model."""
        return {"input": list(self.texts)} | _given(dimensions=self.dimensions)


def user(text: str, *, system: str = "", images: Sequence[Image] = ()) -> tuple[Message, ...]:
    """The most common conversation: one question, with a system message and pictures where there are any."""
    question = Message("user", (text, *images) if images else text)
    return (Message("system", system), question) if system else (question,)


def _given(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
