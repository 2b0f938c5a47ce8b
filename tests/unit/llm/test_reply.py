"""What is read of an answer, and that a stored reply is the one that came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zhiling.llm.reply import NotTheProtocol, Reply, Usage, payloads, read_reply, read_vector, usage_of
from zhiling.llm.wire import ToolCall

CHAT = "chat/completions"


def choice(index: int = 0, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish}


def one(*choices: dict[str, Any]) -> list[Reply]:
    answer = {"model": "m", "choices": list(choices)}
    return [read_reply(payload) for payload in payloads(CHAT, answer, len(choices))]


def test_samples_come_back_in_their_order() -> None:
    replies = one(choice(1, content="二"), choice(0, content="one", finish="length"))
    assert replies == [Reply("one", "length", "m"), Reply("二", "stop", "m")]


def test_tool_calls_refusals_reasoning_and_parts_are_read() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    replies = one(
        choice(0, content=None, tool_calls=[call], finish="tool_calls"),
        choice(1, content=None, refusal="no"),
        choice(2, content="4", reasoning_content="2 + 2"),
        choice(3, content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
    )
    assert replies[0].tool_calls == (ToolCall("c", "look", "{}"),)
    assert (replies[1].refusal, replies[2].reasoning, replies[3].text) == ("no", "2 + 2", "ab")


def test_both_forms_of_log_probabilities_are_read() -> None:
    told = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.0}]}]}
    (chat,) = one(choice(content="a") | {"logprobs": told})
    assert (chat.logprobs[0].token, chat.logprobs[0].logprob) == ("a", -0.5)
    assert chat.logprobs[0].others == (("b", -1.0),)
    told = {"tokens": ["a", "b"], "token_logprobs": [None, -2.0], "top_logprobs": [None, {"c": -3.0}]}
    answer = {"choices": [{"text": "ab", "finish_reason": "stop", "logprobs": told}]}
    text = read_reply(payloads("completions", answer, 1)[0])
    assert np.isnan(text.logprobs[0].logprob)
    assert text.logprobs[1].others == (("c", -3.0),)


@pytest.mark.parametrize(
    "answer",
    [
        None, [], "text", {}, {"choices": []}, {"choices": [1]}, {"choices": [choice(), choice(1)]},
        {"choices": [{"message": "text"}]}, {"choices": [choice(content=7)]},
    ],
)  # fmt: skip
def test_what_is_not_the_protocol_is_never_an_empty_reply(answer: Any) -> None:
    with pytest.raises(NotTheProtocol):
        payloads(CHAT, answer, 1)


def test_tool_calls_without_a_function_are_not_the_protocol() -> None:
    with pytest.raises(NotTheProtocol, match="tool calls"):
        one(choice(tool_calls=[{"id": "c"}]))


def test_vectors_are_float32_in_the_order_of_the_texts() -> None:
    data = [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": [0.25, -2]}]
    first, second = payloads("embeddings", {"data": data}, 2)
    assert read_vector(first).tolist() == [0.25, -2.0]
    assert read_vector(second).dtype == np.float32


@pytest.mark.parametrize("vector", [None, [], ["a"], [[1.0]], [1.0, None], [1e39]])
def test_a_vector_of_anything_but_finite_numbers_is_refused(vector: Any) -> None:
    with pytest.raises(NotTheProtocol), np.errstate(over="ignore"):
        payloads("embeddings", {"data": [{"embedding": vector}]}, 1)


def test_usage_is_what_the_server_counted_or_unknown() -> None:
    assert usage_of({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}) == Usage(3, 4)
    assert usage_of({"usage": {"prompt_tokens": 3, "total_tokens": 3}}) == Usage(3, 0)
    assert usage_of({"usage": {"prompt_tokens": 3, "completion_tokens": 4}}).total == 7  # type: ignore[union-attr]
    for answer in ({}, {"usage": None}, {"usage": {"prompt_tokens": "3"}}):
        assert usage_of(answer) is None
