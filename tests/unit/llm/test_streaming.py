"""A streamed reply is what would have come in one piece, wherever its bytes were cut."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.llm.fake_replies import events, sampled
from zhiling.llm.reply import NotTheProtocol, payloads, usage_of
from zhiling.llm.streaming import Assembler

PATH = "chat/completions"


def stream(told: list[object]) -> bytes:
    lines = [b"data: " + orjson.dumps(event) + b"\n\n" for event in told]
    return b": a comment\n\n" + b"".join(lines) + b"data: [DONE]\n\n"


def assembled(data: bytes, cuts: list[int]) -> object:
    assembler = Assembler()
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        assembler.feed(data[start:end])
    return assembler.answer()


@given(st.text(min_size=1), st.integers(1, 3), st.lists(st.integers(0, 400), max_size=9))
def test_it_does_not_matter_where_the_bytes_are_cut(text: str, count: int, cuts: list[int]) -> None:
    text = f"{text} 门锁 lock"
    whole = sampled(f"v1/{PATH}", {"messages": [], "n": count, "model": "m"}, text, None)
    data = stream(list(events(whole)))
    got = assembled(data, sorted(min(cut, len(data)) for cut in cuts))
    assert payloads(PATH, got, count) == payloads(PATH, whole, count)
    assert usage_of(got) == usage_of(whole)  # type: ignore[arg-type]


def test_pieces_of_tool_calls_and_log_probabilities_are_put_together() -> None:
    pieces = [
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "look", "arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
    ]
    told = [{"choices": [{"index": 0, "delta": delta}]} for delta in pieces]
    told[0]["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": -1}]}
    told.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    (choice,) = assembled(stream(list(told)), [])["choices"]  # type: ignore[index]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert choice["logprobs"] == {"content": [{"token": "x", "logprob": -1}]}


def test_a_stream_without_the_last_event_is_whole_when_its_reply_has_ended() -> None:
    told = [{"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]}]
    data = b"data: " + orjson.dumps(told[0]) + b"\n\n"
    assert payloads(PATH, assembled(data, []), 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'data: {"choices": [{"index": 0, "delta": {"content": "hi"}}]}\n\n', "broke off before its end"),
        (b"", "broke off before its end"),
        (b"data: {cut\n\n", "no JSON"),
        (b"data: 7\n\n", "no object"),
        (b'data: {"error": {"message": "overloaded"}}\n\n', "overloaded"),
    ],
)
def test_a_stream_that_breaks_off_is_never_a_reply(data: bytes, says: str) -> None:
    with pytest.raises(NotTheProtocol, match=says):
        assembled(data, [])
