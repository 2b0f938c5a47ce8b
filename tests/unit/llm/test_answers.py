"""What each answer of a server means: a reply, one row's failure, another try, or the end of the run."""

from __future__ import annotations

import pytest

from zhiling.errors import BudgetReached, UsageError, ZhilingError
from zhiling.llm.answers import Fault, fault_of
from zhiling.llm.failures import RETRYABLE, FailureClass, Stop
from zhiling.llm.transport import Answer

PLACE = "http://127.0.0.1:1/v1"


def fault(
    status: int, body: bytes = b'{"error": {"message": "why"}}', *, answered: bool = True, **headers: str
) -> Fault:
    answer = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    found = fault_of(answer, PLACE, answered=answered, key_env="TEACHER_KEY")
    assert found is not None
    return found


def stop(status: int, body: bytes = b"{}", *, answered: bool = False) -> ZhilingError:
    with pytest.raises(Stop) as caught:
        fault(status, body, answered=answered)
    return caught.value.error


@pytest.mark.parametrize(
    ("status", "cls", "again"),
    [
        (429, "rate_limit", True), (529, "rate_limit", True), (500, "server", True), (502, "server", True),
        (503, "server", True), (408, "server", True), (501, "server", False), (301, "server", True),
        (400, "rejected", False), (413, "rejected", False), (422, "rejected", False),
        (403, "rejected", False),
        (404, "not_found", False),
    ],
)  # fmt: skip
def test_each_status_has_a_class_and_says_whether_to_try_again(status: int, cls: str, again: bool) -> None:
    found = fault(status)
    assert (found.failure.cls, found.again) == (cls, again)
    assert found.failure.message == f"HTTP {status}: why"
    assert found.failure.place == PLACE


def test_a_busy_server_says_how_long_to_wait() -> None:
    assert fault(429, Retry_After="3").wait_s == 3
    assert fault(503, Retry_After="2").failure.cls is FailureClass.RATE_LIMIT


@pytest.mark.parametrize("answered", [True, False])
def test_a_refused_key_stops_the_run_at_once_and_names_the_variable(answered: bool) -> None:
    error = stop(401, b'{"error": {"message": "bad key"}}', answered=answered)
    assert isinstance(error, UsageError)
    assert "TEACHER_KEY" in str(error)
    assert "bad key" in str(error)


@pytest.mark.parametrize("status", [404, 405, 301, 308, 403])
def test_what_is_wrong_from_the_first_answer_on_is_a_wrong_setting(status: int) -> None:
    assert isinstance(stop(status), UsageError)


@pytest.mark.parametrize(
    ("status", "body"), [(402, b"{}"), (429, b'{"error": {"code": "insufficient_quota"}}')]
)
def test_an_account_without_credit_pauses_the_run(status: int, body: bytes) -> None:
    assert isinstance(stop(status, body, answered=True), BudgetReached)


def test_an_error_page_is_told_by_its_text() -> None:
    page = b"<html><style>b {color: red}</style><title>502 Bad Gateway</title><p>nginx</p></html>"
    assert fault(502, page).failure.message == "HTTP 502: 502 Bad Gateway nginx"
    assert fault(500, b"").failure.message == "HTTP 500: nothing more is said"
    assert fault(500, b'["odd"]').failure.message == "HTTP 500: ['odd']"
    assert len(fault(500, b"x" * 10**6).failure.message) < 400


def test_a_failed_call_becomes_the_failure_of_its_row() -> None:
    made = fault(503).failure.of_row("a1")
    assert (made.row, made.cls, made.place, made.retryable) == ("a1", "server", PLACE, True)


def test_what_may_be_retried_is_what_chance_decides() -> None:
    assert {each for each in FailureClass if each not in RETRYABLE} == {
        "too_large", "rejected", "not_found", "auth", "refusal", "truncated", "pending",
    }  # fmt: skip
