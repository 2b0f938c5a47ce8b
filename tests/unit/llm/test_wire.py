"""What is sent: exactly what was asked for, in the protocol's words, and nothing that is unset."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhiling.errors import UsageError
from zhiling.llm.wire import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Image,
    JsonReply,
    Message,
    Sampling,
    ToolCall,
    user,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


@pytest.mark.parametrize("text", ["What is a lock?", "什么是门锁？"])
def test_a_plain_question_is_a_message_and_nothing_else(text: str) -> None:
    assert ChatRequest(user(text)).body() == {"messages": [{"role": "user", "content": text}]}


def test_everything_that_is_set_is_sent() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    request = ChatRequest(
        (Message("system", "short"), Message("user", "hi", name="ann")),
        Sampling(temperature=0.0, top_p=0.9, max_tokens=7, stop=("\n",), seed=0),
        JsonReply({"type": "object"}, "thing"), (tool,), "auto", logprobs=2,
    )  # fmt: skip
    assert request.body() == {
        "messages": [{"role": "system", "content": "short"},
                     {"role": "user", "content": "hi", "name": "ann"}],
        "temperature": 0.0, "top_p": 0.9, "max_tokens": 7, "stop": ["\n"], "seed": 0,
        "response_format": {"type": "json_schema",
                            "json_schema": {"name": "thing", "schema": {"type": "object"}, "strict": True}},
        "tools": [tool], "tool_choice": "auto", "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip


def test_tool_calls_and_their_results_go_back_to_the_model() -> None:
    call = ToolCall("c1", "look", '{"a": 1}')
    asked = Message("assistant", "", tool_calls=(call,)).wire()
    assert asked["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
    ]
    assert Message("tool", "42", tool_call_id="c1").wire() == {
        "role": "tool", "content": "42", "tool_call_id": "c1",
    }  # fmt: skip


def test_a_picture_is_a_part_of_its_message(tmp_path: Path) -> None:
    (tmp_path / "lock.png").write_bytes(PNG)
    (message,) = user("What is this?", images=[Image.read(tmp_path / "lock.png")])
    text, picture = message.wire()["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock.png").write_text("not a picture")
    with pytest.raises(UsageError, match=r"lock\.png: not an image"):
        Image.read(tmp_path / "lock.png")


def test_json_without_a_schema_completions_and_embeddings() -> None:
    assert ChatRequest(user("x"), json=JsonReply()).body()["response_format"] == {"type": "json_object"}
    assert CompletionRequest("从前", Sampling(max_tokens=3), logprobs=1).body() == {
        "prompt": "从前", "max_tokens": 3, "logprobs": 1,
    }  # fmt: skip
    assert EmbeddingRequest(("a", "锁"), dimensions=8).body() == {"input": ["a", "锁"], "dimensions": 8}
