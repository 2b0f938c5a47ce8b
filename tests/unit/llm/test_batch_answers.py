"""What is read of batches: lines cut where they end, each answer as over HTTP, no wrong line blamed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.llm.answers import Fault
from zhiling.llm.batch_answers import Lines, line_without, read_line
from zhiling.llm.transport import Answer

PLACE = "http://127.0.0.1:9/v1"


@given(
    st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    st.lists(st.integers(0, 60), max_size=8),
    st.booleans(),
)
def test_lines_are_the_same_however_the_stream_is_cut(
    lines: list[bytes], cuts: list[int], ended: bool
) -> None:
    stream = b"\n".join(lines) + (b"\n" if ended else b"")
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader, most = Lines(8), 8
    found = [each for start, stop in pairwise(places) for each in reader.feed(stream[start:stop])]
    found += reader.end()
    assert found == [(line[:most], len(line) > most) for line in lines if line[:most].strip()]


def line(**fields: Any) -> bytes:
    return orjson.dumps({"id": "x", "custom_id": "a-0-0"} | fields)


def test_a_response_is_the_answer_that_http_would_have_brought() -> None:
    body: dict[str, Any] = {"choices": [], "说": "好"}
    assert read_line(line(response={"status_code": 200, "body": body}), PLACE) == (
        "a-0-0", Answer(200, {}, b"", body),
    )  # fmt: skip
    assert read_line(line(response={"body": body}), PLACE) == ("a-0-0", Answer(200, {}, b"", body))
    for status in (429, 500):
        name, answer = read_line(line(response={"status_code": status, "body": {"error": "x"}}), PLACE) or (
            "", None,
        )  # fmt: skip
        assert answer == Answer(status, {}, b'{"error":"x"}')
        assert name == "a-0-0"


@pytest.mark.parametrize(
    ("error", "cls", "again", "charged"),
    [
        ({"code": "batch_expired", "message": "late"}, "timeout", True, False),
        ({"code": "batch_cancelled", "message": "stopped"}, "server", False, False),
        ({"code": "request_timeout", "message": "slow"}, "timeout", True, True),
        ({"code": "new_code"}, "server", True, True),
        (None, "server", True, True),
    ],
)
def test_an_error_says_whether_it_may_be_billed(error: Any, cls: str, again: bool, charged: bool) -> None:
    told = read_line(line(response=None, error=error), PLACE)
    assert told is not None
    fault = told[1]
    assert isinstance(fault, Fault)
    assert (fault.failure.cls, fault.again, fault.charged) == (cls, again, charged)


def test_a_line_that_cannot_be_read_is_still_blamed_on_its_request() -> None:
    for text, cut, cls in [
        (b'{"custom_id": "a-0-0", "response": {"bo', False, "bad_json"),
        (b'{"id": "x", "custom_id" :"a-0-0", "response": {}}', True, "too_large"),
    ]:
        name, fault = read_line(text, PLACE, cut=cut) or ("", None)
        assert name == "a-0-0"
        assert isinstance(fault, Fault)
        assert (fault.failure.cls, fault.charged) == (cls, True)
    for text in (b"<html>", b"[]", b'"a"', b"{}", b'{"custom_id": 5}', b"\xff\xfe"):
        assert read_line(text, PLACE) is None


def told(status: str, errors: Any = None, number: int = 1) -> Answer | Fault:
    return line_without({"status": status, "errors": errors}, number, PLACE)


def test_only_a_completed_batch_may_bill_what_it_does_not_name() -> None:
    for status in ("completed", "expired", "cancelled"):
        fault = told(status)
        assert isinstance(fault, Fault)
        assert fault.charged == (status == "completed")


def test_a_refused_file_blames_the_lines_that_are_named() -> None:
    errors = {"data": [{"code": "invalid_url", "message": "bad", "line": 2}]}
    assert told("failed", errors, 2) == Answer(400, {}, orjson.dumps({"error": errors["data"][0]}))
    other = told("failed", errors, 1)
    assert isinstance(other, Fault)
    assert (other.again, other.charged) == (True, False)


@pytest.mark.parametrize(
    ("errors", "status"),
    [
        ({"data": [{"code": "token_limit_exceeded", "message": "too much"}]}, 429),
        ({"data": [{"code": "billing_hard_limit_reached"}]}, 429),
        ({"data": [{"code": "model_not_found"}]}, 400),
        ([{"code": "model_not_found"}], 400), ({"data": []}, 400), (None, 400),
        ("text", 400), ({"data": [1]}, 400),
    ],
)  # fmt: skip
def test_a_refused_file_without_lines_blames_all_of_them(errors: Any, status: int) -> None:
    answer = told("failed", errors)
    assert isinstance(answer, Answer)
    assert (answer.status, b"error" in answer.body) == (status, True)
