"""Batch files handed to a server: the same replies, the same limits, failures of their lines alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.posting import (
    Opened,
    asks,
    awaited,
    computed,
    lines_of,
    opener,
    texts,
)
from zhiling.errors import BudgetReached, MissingInput, UsageError
from zhiling.llm import batch_post, batch_server
from zhiling.llm.engine import Engine
from zhiling.llm.failures import CallFailure
from zhiling.llm.fake_batches import BATCH_FAULTS, FakeBatches
from zhiling.llm.fake_server import Behaviour, running
from zhiling.llm.limits import Limits
from zhiling.llm.role import Role
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, CompletionRequest, JsonReply, user


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens an engine on the project's database."""
    monkeypatch.setattr(batch_post, "LINGER_S", 0.05)
    return opener(tmp_path)


def test_replies_are_the_same_and_a_batch_is_one_file(opened: Opened, tmp_path: Path) -> None:
    with running(Behaviour(batch_s=0.1)) as server:
        with opened(server.url) as engine:
            found = texts(engine.ask("t", asks(600, samples=2)))
            spent = engine.spending()
        assert (computed(server), spent.calls) == (600, 600)
        assert len(server.batches.batches) < 60
        assert spent.pico == 10**6 * (server.prompt_tokens + server.completion_tokens)
        assert (spent.unsettled, awaited(tmp_path)) == (0, 0)
    with running() as other, opened(other.url, run="http", batch=False, batch_poll_s=None) as engine:
        assert texts(engine.ask("t", asks(600, samples=2))) == found
        assert computed(other) == 0
    with running() as other, Engine(
        {"t": Role.model_validate({"endpoint": other.url, "model": "m"})}, tmp_path / "other.sqlite"
    ) as engine:  # fmt: skip
        assert texts(engine.ask("t", asks(20, samples=2))) == found[:40]


def test_switched_on_nothing_is_asked_anew_but_what_is_new(opened: Opened) -> None:
    with running() as server:
        with opened(server.url, batch=False, batch_poll_s=None) as engine:
            engine.ask("t", asks(50))
        with opened(server.url) as engine:
            assert len(texts(engine.ask("t", asks(51)))) == 51
        assert (computed(server), lines_of(server, 0)) == (51, 1)


def test_kinds_of_calls_have_files_of_their_own_and_vectors_go_directly(opened: Opened) -> None:
    with running() as server, opened(server.url) as engine:
        mixed = [*asks(3), Ask(CompletionRequest("从前")), Ask(ChatRequest(user("x"), json=JsonReply()))]
        assert len(texts(engine.ask("t", mixed))) == 5
        assert [len(v) for v in engine.vectors("t", ["a", "b"])] == [8, 8]
        told = [told["endpoint"] for told, _ in server.batches.batches.values()]
        assert set(told) == {"/v1/chat/completions", "/v1/completions"}
        assert max(server.seen.values()) == 1


def test_a_file_holds_no_more_than_servers_take(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_post, "MOST_LINES", 40)
    with running() as server, opened(server.url) as engine:
        assert len(texts(engine.ask("t", asks(100)))) == 100
        sizes = [lines_of(server, number) for number in range(len(server.batches.batches))]
        assert sum(sizes) == 100
        assert max(sizes) <= 40


def test_files_are_larger_than_any_single_request(opened: Opened) -> None:
    with running() as server, opened(server.url) as engine:
        long = [Ask(ChatRequest(user(f"{number} " + "很长" * 20_000))) for number in range(15)]
        assert len(texts(engine.ask("t", long))) == 15
        assert max(map(len, server.batches.files.values())) > 10**6


def test_two_endpoints_share_the_files(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_post, "MOST_LINES", 10)
    with running() as one, running() as two, opened([one.url, two.url]) as engine:
        assert len(texts(engine.ask("t", asks(40)))) == 40
        assert min(computed(one), computed(two)) >= 10


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("fault", "cls"),
    [
        ("rate_limit", "rate_limit"), ("server_error", "server"), ("cut", "server"), ("timeout", "timeout"),
        ("not_json", "server"), ("empty", "empty"), ("refusal", "refusal"), ("truncated", "truncated"),
    ],
)  # fmt: skip
def test_a_line_that_fails_fails_alone_and_is_tried_again(fault: str, cls: str, opened: Opened) -> None:
    with running(Behaviour(faults={fault: 0.2}, seed=2)) as server, opened(server.url, retries=9) as engine:
        outcomes = engine.ask("t", asks(80))
        failed = [each.cls for each in outcomes if isinstance(each, CallFailure)]
        assert server.met[fault] > 8
        assert set(failed) <= {cls}
        assert len(failed) < 25
        if fault in ("rate_limit", "server_error", "cut", "timeout", "not_json"):
            assert failed == []
            assert len(server.batches.batches) > 1
        assert max(server.answered.values()) <= 2
        billed = server.prompt_tokens + server.completion_tokens
        assert engine.spending().pico >= 10**6 * billed
        assert engine.spending().unsettled == 0


@pytest.mark.parametrize(
    ("fault", "cls", "tries"),
    [("server_error", "server", 3), ("cut", "server", 3), ("rate_limit", "rate_limit", None)],
)
def test_a_fault_that_stays_is_a_typed_failure(
    fault: str, cls: str, tries: int | None, opened: Opened
) -> None:
    with (
        running(Behaviour(faults={fault: 1.0})) as server,
        opened(server.url, retries=2, patience_s=0.5) as engine,
    ):
        outcomes = engine.ask("t", asks(4))
        assert {each.cls for each in outcomes if isinstance(each, CallFailure)} == {cls}
        assert tries is None or set(server.seen.values()) == {tries}
        assert (engine.spending().usd > 0) == (fault == "cut")


@pytest.mark.parametrize("fault", BATCH_FAULTS)
def test_what_befalls_a_whole_batch(fault: str, opened: Opened, tmp_path: Path) -> None:
    behaviour = Behaviour(batch_faults={fault: 0.5}, seed=2)
    with running(behaviour) as server, opened(server.url, retries=9) as engine:
        mended = fault not in (
            "failed",
            "cancelled",
        )  # a bad line stays bad; what was cancelled is not wanted
        server.batches.seed = next(
            seed for seed in range(99) if _first_fault(seed, fault) == [True, False, False, False, False]
        )
        outcomes = engine.ask("t", asks(20))
        failed = [each for each in outcomes if isinstance(each, CallFailure)]
        if not mended:
            assert {each.cls for each in failed} == {"rejected" if fault == "failed" else "server"}
            size = lines_of(server, 0)
            assert len(failed) == (1 if fault == "failed" else size - size // 2)
            again = engine.ask("t", asks(20))
            assert len(texts(again)) == 20
        else:
            assert failed == []
        inputs = [told["input_file_id"] for told, _ in server.batches.batches.values()]
        assert len(inputs) == len(set(inputs))  # no file became two batches
        assert max(server.seen.values()) == 1
        assert computed(server) == 20
        billed = server.prompt_tokens + server.completion_tokens
        assert engine.spending().pico == 10**6 * billed
    assert awaited(tmp_path) == 0


def _first_fault(seed: int, fault: str) -> list[bool]:
    """Which of the first batches meet it."""
    drawn: list[bool] = []
    server = FakeBatches(lambda path, body: None, faults={fault: 0.5}, seed=seed)
    for number in range(5):
        drawn.append(server.draws() == fault)
        server.batches[str(number)] = {}, 0.0
    return drawn


@pytest.mark.parametrize("seed", range(2))
def test_no_more_is_billed_than_the_cap_and_the_rest_follows_in_further_batches(
    seed: int, opened: Opened
) -> None:
    cap = Limits(usd=0.0012)  # of 95 to 130 millionths each at most
    faults = {"rate_limit": 0.1, "cut": 0.1, "server_error": 0.1}
    behaviour = Behaviour(faults=faults, seed=seed, batch_faults={"expired": 0.3})
    with running(behaviour) as server:
        with opened(server.url, limits=cap, retries=50) as engine:
            with pytest.raises(BudgetReached):
                engine.ask("t", asks(60))
            spent = engine.spending()
        assert (server.prompt_tokens + server.completion_tokens) / 10**6 <= spent.usd <= 0.0012
        assert spent.unsettled == 0
        assert len(server.batches.batches) > 2  # what was left of the first was spent by the next ones
        with opened(server.url, retries=50) as engine:
            assert len(texts(engine.ask("t", asks(60)))) == 60
        assert max(server.answered.values()) == 1


def test_a_wrong_key_a_wrong_model_and_a_server_without_batches_stop_at_once(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planted = "sk-planted-0123456789abcdef"
    monkeypatch.setenv("T_KEY", planted)
    with running(Behaviour(key="another")) as server, opened(server.url, key_env="T_KEY") as engine:
        with pytest.raises(UsageError, match="T_KEY is refused") as caught:
            engine.ask("t", asks(3))
        assert planted not in str(caught.value)
    with running(Behaviour(models=("right",))) as server, opened(server.url, run="b") as engine:
        with pytest.raises(UsageError, match="no such model"):
            engine.ask("t", asks(3))
        assert engine.spending().usd == 0
    with running() as server, opened(server.url, run="c") as engine:
        monkeypatch.setattr(server.batches, "answer", _nothing)
        with pytest.raises(UsageError, match=r"(?s)not taken \(HTTP 404.*leave out `batch_poll_s`"):
            engine.ask("t", asks(3))
        assert engine.spending().usd == 0
    away = pytest.raises(MissingInput, match=r"no answer for 0\.5 seconds .*cannot be reached")
    with opened("http://127.0.0.1:9/v1", run="d") as engine, away:
        engine.ask("t", asks(3))
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and planted.encode() in p.read_bytes()]


async def _nothing(_: object) -> None:
    return None


def test_a_reply_that_repeats_the_key_is_scrubbed(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planted = "sk-planted-0123456789abcdef"
    monkeypatch.setenv("T_KEY", planted)
    telling = Behaviour(key=planted, answer=lambda body: f"your key is {planted}")
    with running(telling) as server, opened(server.url, key_env="T_KEY") as engine:
        assert texts(engine.ask("t", asks(1))) == ["your key is [key]"]
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and planted.encode() in p.read_bytes()]


def test_a_download_that_breaks_off_begins_again(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_server, "_TOGETHER", 3)
    with running() as server, opened(server.url, outage_s=5) as engine:
        whole, broken = server.batches.answer, list[str]()

        async def cut(request: Any) -> Any:
            if not request.path.endswith("/content") or len(broken) > 1:
                return await whole(request)
            broken.append(request.path)
            content = server.batches.files[request.path.split("/")[-2]]
            response = web.StreamResponse(headers={"Content-Length": str(len(content))})
            await response.prepare(request)
            await response.write(content[: len(content) // 2])
            request.transport.close()
            return response

        monkeypatch.setattr(server.batches, "answer", cut)
        assert len(texts(engine.ask("t", asks(20)))) == 20
        assert len(broken) == 2
        assert (computed(server), engine.spending().calls) == (20, 20)


def test_a_reply_that_is_too_large_fails_alone(opened: Opened) -> None:
    def answer(body: dict[str, Any]) -> str:
        return "大" * (10**6 if body["messages"][-1]["content"].endswith(" 3") else 10)

    with running(Behaviour(answer=answer)) as server, opened(server.url, max_reply_mb=1) as engine:
        outcomes = engine.ask("t", [Ask(ChatRequest(user(f"x {number}"))) for number in range(6)])
        failed = [(place, each.cls) for place, each in enumerate(outcomes) if isinstance(each, CallFailure)]
        assert failed == [(3, "too_large")]
        assert max(server.seen.values()) == 1
