"""The forms in which the fake server answers: whole, as a stream of events, as vectors."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from zhiling.llm.wire import Json


def words(body: Json, number: int, most: int) -> str:
    """From 1 to `most` words drawn from a number; as JSON where JSON is asked for."""
    drawn = [f"w{(number >> (place % 48)) % 997}" for place in range(1 + number % most)]
    return orjson.dumps({"words": drawn}).decode() if body.get("response_format") else " ".join(drawn)


def sampled(path: str, body: Json, text: str, fault: str | None) -> Json:
    """The answer to a chat or completion: the text, `n` times; a token is a word, or four bytes."""
    text, finish = _limited(text, body, fault)
    chat, count = "chat" in path, body.get("n", 1)
    choices = [_chat_choice(index, text, finish, fault) if chat else _text_choice(index, text, finish)
               for index in range(count)]  # fmt: skip
    if chat and body.get("logprobs"):
        for choice in choices:
            choice["logprobs"] = {"content": [_chance(word) for word in text.split()]}
    prompt = len(orjson.dumps(body.get("messages", body.get("prompt")))) // 4
    completion = max(1, len(text.split())) * count
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {
        "id": "fake", "object": "chat.completion" if chat else "text_completion", "created": 0,
        "model": body.get("model", "fake"), "choices": choices, "usage": usage,
    }  # fmt: skip


def _limited(text: str, body: Json, fault: str | None) -> tuple[str, str]:
    """The text within `max_tokens`, or spoilt as a fault asks for, and why it ends."""
    spoilt = {"bad_json": '{"a": [1, 2', "empty": "", "refusal": ""}
    if fault in spoilt:
        return spoilt[fault], "stop"
    most = body.get("max_tokens", body.get("max_completion_tokens"))
    if fault == "truncated":
        return " ".join(text.split()[:3]), "length"
    if most is not None and len(text.split()) > most:
        return " ".join(text.split()[:most]), "length"
    return text, "stop"


def _chat_choice(index: int, text: str, finish: str, fault: str | None) -> Json:
    message: Json = {"role": "assistant", "content": text}
    if fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    return {"index": index, "message": message, "finish_reason": finish}


def _text_choice(index: int, text: str, finish: str) -> Json:
    return {"index": index, "text": text, "finish_reason": finish}


def _chance(word: str) -> Json:
    return {"token": word, "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": word, "logprob": -0.5}]}


def embeddings(body: Json) -> Json:
    """Eight numbers a text, drawn from its hash."""
    texts: list[str] = body["input"]
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text)}
        for index, text in enumerate(texts)
    ]
    count = sum(len(text.encode()) // 4 + 1 for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "model": body.get("model", "fake"), "data": data, "usage": usage}


def _vector(text: str) -> list[float]:
    return [byte / 255 - 0.5 for byte in blake2b(text.encode(), digest_size=8).digest()]


def events(answer: Json) -> list[Json]:
    """The answer word by word, then why it ends, then its usage."""
    head = {"id": answer["id"], "object": "chat.completion.chunk", "model": answer["model"]}
    made: list[Json] = []
    for choice in answer["choices"]:
        text: str = choice.get("message", choice).get("content", choice.get("text")) or ""
        pieces = [word if number == 0 else f" {word}" for number, word in enumerate(text.split(" "))]
        made += [head | _event(choice["index"], {"content": piece}, None) for piece in pieces]
        made.append(head | _event(choice["index"], {}, choice["finish_reason"]))
    return [*made, head | {"choices": [], "usage": answer["usage"]}]


def _event(index: int, delta: dict[str, Any], finish: str | None) -> Json:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}
