"""The engine as a whole, against a server that breaks on demand: nothing lost, nothing paid twice."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zhiling.errors import BudgetReached, MissingInput, UnknownName, UsageError
from zhiling.llm.engine import Engine
from zhiling.llm.failures import CallFailure
from zhiling.llm.fake_server import FAULTS, Behaviour, FakeServer, running
from zhiling.llm.limits import Limits
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.verdict import Ask, Complaint
from zhiling.llm.wire import ChatRequest, CompletionRequest, JsonReply, Sampling, user

TEXTS = ["How do I reset the lock?", "怎么重置门锁？"]


@pytest.fixture
def open_engine(tmp_path: Path) -> Callable[..., Any]:
    """Opens an engine with one role, `teacher`, on the project's database."""

    @contextmanager
    def opened(
        url: str | list[str], *, run: str = "r", usd: float | None = None, **settings: Any
    ) -> Generator[Engine]:
        role = Role.model_validate({"endpoint": url, "model": "m", "outage_s": 0.3} | settings)
        with Engine(
            {"teacher": role}, tmp_path / "z.sqlite", run=run, limits=Limits(usd=usd), seed=1
        ) as engine:
            yield engine

    return opened


def asks(count: int, *, start: int = 0, **more: Any) -> list[Ask]:
    return [
        Ask(ChatRequest(user(f"{TEXTS[number % 2]} {number}")), **more)
        for number in range(start, start + count)
    ]


def sent(server: FakeServer) -> int:
    return sum(server.seen.values())


def texts(outcomes: list[Reply | CallFailure]) -> list[str]:
    assert all(isinstance(each, Reply) for each in outcomes), Counter(map(str, outcomes))
    return [each.text for each in outcomes if isinstance(each, Reply)]


def test_a_chat_call_goes_out_is_stored_and_comes_back(open_engine: Any) -> None:
    with running(Behaviour(answer=lambda body: f"你问：{body['messages'][-1]['content']}")) as server:
        with open_engine(server.url, price={"in": 1, "out": 2}) as engine:
            (reply,) = engine.ask("teacher", asks(1))
            assert reply == Reply(f"你问：{TEXTS[0]} 0", "stop", "m")
            spent = engine.spending()
            assert (spent.calls, spent.unsettled) == (1, 0)
            assert spent.pico == 1_000_000 * spent.prompt + 2_000_000 * spent.completion > 0
        with open_engine(server.url, run="another") as engine:
            (again,) = engine.ask("teacher", asks(1))
            assert (again.text, again.stored) == (reply.text, True)
            assert engine.spending().calls == 0
        assert sent(server) == 1


def test_one_row_more_is_one_call_more_and_a_changed_prompt_is_all_of_them(open_engine: Any) -> None:
    with running() as server, open_engine(server.url) as engine:
        engine.ask("teacher", asks(200))
        engine.ask("teacher", asks(201))
        assert sent(server) == 201
        changed = [
            Ask(ChatRequest(user(each.request.messages[0].content, system="Be short."))) for each in asks(200)
        ]
        engine.ask("teacher", changed)
        assert sent(server) == 401


def test_equal_asks_are_one_call_also_from_two_threads(open_engine: Any) -> None:
    with running(Behaviour(latency_s=0.1)) as server, open_engine(server.url) as engine:
        found: list[Any] = []
        threads = [
            threading.Thread(target=lambda: found.extend(engine.ask("teacher", asks(5) * 3))) for _ in "ab"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(texts(found)) == 30
        assert sent(server) == 5


def test_samples_are_asked_for_together_and_only_those_that_are_missing(open_engine: Any) -> None:
    counts: list[int] = []

    def answer(body: dict[str, Any]) -> str:
        counts.append(body.get("n", 1))
        return "x"

    with running(Behaviour(answer=answer)) as server, open_engine(server.url, samples_per_call=4) as engine:
        request = ChatRequest(user("one"))
        engine.ask("teacher", [Ask(request, sample) for sample in range(2)])
        assert len(texts(engine.ask("teacher", [Ask(request, sample) for sample in range(9)]))) == 9
        assert counts == [2, 4, 3]
        seeded = ChatRequest(user("one"), Sampling(seed=5))
        engine.ask("teacher", [Ask(seeded, sample) for sample in range(3)])
        assert counts[3:] == [1, 1, 1]  # each sample has a seed of its own


@pytest.mark.parametrize("stream", [False, True])
def test_completions_logprobs_and_streams(stream: bool, open_engine: Any) -> None:
    with (
        running(Behaviour(answer=lambda body: "two words")) as server,
        open_engine(server.url, stream=stream) as engine,
    ):
        chat = ChatRequest(user("x"), logprobs=1)
        whole, text = engine.ask("teacher", [Ask(chat), Ask(CompletionRequest("从前"))])
        assert (whole.text, text.text) == ("two words", "two words")
        assert [chance.token for chance in whole.logprobs] == ([] if stream else ["two", "words"])
        assert engine.spending().completion == 4


def test_vectors_are_stored_by_text(open_engine: Any) -> None:
    with running() as server:
        with open_engine(server.url) as engine:
            first = engine.vectors("teacher", [*TEXTS, TEXTS[0]])
            assert np.array_equal(first[0], first[2])
            assert first[0].shape == (8,)
        with open_engine(server.url) as engine:
            engine.vectors("teacher", [*TEXTS, "new"])
            assert sent(server) == 2


# ---- what goes wrong ----

MENDED = ["rate_limit", "server_error", "html", "disconnect", "cut", "not_json"]


@pytest.mark.parametrize("fault", MENDED)
def test_a_fault_that_another_try_mends_costs_no_row(fault: str, open_engine: Any) -> None:
    behaviour = Behaviour(faults={fault: 0.3}, retry_after_s=0.01, seed=3)
    with running(behaviour) as server, open_engine(server.url, retries=30, outage_s=30) as engine:
        outcomes = engine.ask("teacher", asks(60))
        assert server.met[fault] > 5
        failed = [each for each in outcomes if isinstance(each, CallFailure)]
        assert {each.cls for each in failed} <= ({"bad_json"} if fault == "not_json" else set())
        assert len(failed) < 15  # of not_json, which is asked again only once, 9 % are bad twice
        assert engine.spending().unsettled == 0
        assert max(server.answered.values()) == 1


@pytest.mark.parametrize(
    ("fault", "cls", "tries", "settings"),
    [
        ("rate_limit", "rate_limit", 0, {"patience_s": 0.6}),
        ("server_error", "server", 3, {}),
        ("timeout", "timeout", 3, {"timeout_s": 0.1}),
        ("slow_stream", "timeout", 3, {"timeout_s": 0.1, "stream": True}),
        ("not_json", "bad_json", 2, {}),
        ("bad_json", "bad_json", 2, {}),
        ("empty", "empty", 2, {}),
        ("truncated", "truncated", 1, {}),
        ("refusal", "refusal", 1, {}),
        ("huge", "too_large", 1, {"max_reply_mb": 2}),
        ("endless", "too_large", 1, {"max_reply_mb": 2}),
        ("cut", "server", 3, {}),
        ("disconnect", "server", 3, {}),
        ("html", "server", 3, {}),
    ],
)
def test_each_fault_that_stays_is_a_typed_failure(
    fault: str, cls: str, tries: int, settings: dict[str, Any], open_engine: Any
) -> None:
    behaviour = Behaviour(faults={fault: 1.0}, hang_s=0.5, retry_after_s=0.12)
    request = ChatRequest(user("x"), json=JsonReply())
    settings = {"retries": 2, "outage_s": 30} | settings
    with running(behaviour) as server, open_engine(server.url, **settings) as engine:
        (outcome,) = engine.ask("teacher", [Ask(request)])
        assert isinstance(outcome, CallFailure)
        assert outcome.cls == cls
        assert outcome.message
        assert sent(server) == tries or (fault == "rate_limit" and sent(server) >= 2)
        assert engine.spending().unsettled == 0


def test_every_fault_of_the_fake_server_is_tried_here() -> None:
    table = test_each_fault_that_stays_is_a_typed_failure.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {fault for fault, *_ in table} == set(FAULTS)


def test_what_may_have_been_billed_stays_counted_at_its_most(open_engine: Any) -> None:
    price = {"price": {"out": 1}, "max_tokens": 1000, "retries": 0, "outage_s": 30}
    with running(Behaviour(faults={"cut": 1.0})) as server, open_engine(server.url, **price) as engine:
        engine.ask("teacher", asks(1))
        assert engine.spending().usd == pytest.approx(0.001)
    with (
        running(Behaviour(faults={"server_error": 1.0})) as server,
        open_engine(server.url, run="b", **price) as engine,
    ):
        engine.ask("teacher", asks(1))
        assert engine.spending().usd == 0


def test_a_reply_that_the_caller_refuses_is_asked_for_once_more(open_engine: Any) -> None:
    given = iter(["[1]", '{"a": 1}', "[2]", "[3]", '```json\n{"a": 2}\n```'])

    def wanted(value: Any) -> str | None:
        return None if isinstance(value, dict) else f"{value!r} is no object"

    request = ChatRequest(user("x"), json=JsonReply())
    with running(Behaviour(answer=lambda body: next(given))) as server, open_engine(server.url) as engine:
        assert texts(engine.ask("teacher", [Ask(request, accept=wanted)])) == ['{"a": 1}']
        other = ChatRequest(user("y"), json=JsonReply())
        (failed,) = engine.ask("teacher", [Ask(other, accept=wanted)])
        assert (failed.cls, failed.message, failed.text) == ("schema", "[3] is no object", "[3]")
        assert engine.ask("teacher", [Ask(other, accept=wanted)]) == [failed]  # stored: nothing is sent
        assert sent(server) == 4
        (mended,) = engine.ask("teacher", [Ask(other, attempt=1, accept=wanted)])
        assert mended.text.startswith("```json")


def test_anew_is_asked_only_what_has_no_good_reply_yet_and_what_was_mended_stays(open_engine: Any) -> None:
    bad: set[str] = {"怎么重置门锁？ 1", "怎么重置门锁？ 3"}

    def answer(body: dict[str, Any]) -> str:
        return "refused" if body["messages"][-1]["content"] in bad else "fine"

    def wanted(value: Any) -> Complaint | None:
        return Complaint("not_fine", value) if value != "fine" else None

    with running(Behaviour(answer=answer)) as server, open_engine(server.url) as engine:
        first = engine.ask("teacher", asks(4, accept=wanted))
        assert [each.of_row("r").cls for each in first if isinstance(each, CallFailure)] == ["not_fine"] * 2
        assert sent(server) == 4 + 2  # a reply that a check refuses is asked for once more
        bad.discard("怎么重置门锁？ 1")
        again = engine.ask("teacher", asks(4, accept=wanted, attempt=1))
        assert [isinstance(each, Reply) for each in again] == [True, True, True, False]
        assert sent(server) == 6 + 1 + 2
        assert engine.ask("teacher", asks(4, accept=wanted, attempt=1)) == stored(again)
        assert engine.ask("teacher", asks(4, accept=wanted)) == stored(again)  # the mended one is found
        assert sent(server) == 9
        bad.clear()
        texts(engine.ask("teacher", asks(5, accept=wanted, attempt=2)))
        assert sent(server) == 9 + 2


def stored(outcomes: list[Any]) -> list[Any]:
    return [replace(each, stored=True) if isinstance(each, Reply) else each for each in outcomes]


def test_a_text_that_the_server_rejects_fails_alone(
    open_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as server, open_engine(server.url) as engine:
        whole = server._reply

        async def picky(request: Any, data: bytes) -> Any:
            from aiohttp import web

            return web.Response(status=400, text="too long") if b"bad" in data else await whole(request, data)

        monkeypatch.setattr(server, "_reply", picky)
        found = engine.vectors("teacher", [f"text {number}" for number in range(49)] + ["bad"])
        assert [place for place, each in enumerate(found) if isinstance(each, CallFailure)] == [49]
        assert found[49].cls == "rejected"


# ---- what stops a run ----


def test_a_wrong_key_stops_at_once_and_is_told_nowhere(
    open_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    planted = "sk-planted-0123456789abcdef"
    monkeypatch.setenv("TEACHER_KEY", planted)
    caplog.set_level(0)
    with running(Behaviour(key="another", latency_s=0.05)) as server, open_engine(
        server.url, key_env="TEACHER_KEY", parallel=4
    ) as engine:  # fmt: skip
        with pytest.raises(UsageError) as caught:
            engine.ask("teacher", asks(500))
        assert "TEACHER_KEY" in str(caught.value)
        assert "Incorrect API key provided: Bearer [key]" in str(caught.value)
        assert sent(server) == 0
        assert engine.spending().usd == 0
        holders = [
            path.name
            for path in tmp_path.rglob("*")
            if path.is_file() and planted.encode() in path.read_bytes()
        ]
    assert holders == []
    assert planted not in caplog.text + repr(caught.value) + repr(vars(engine))


def test_a_reply_that_repeats_the_key_is_scrubbed(
    open_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = "sk-planted-0123456789abcdef"
    monkeypatch.setenv("TEACHER_KEY", planted)
    for stream in (False, True):
        telling = Behaviour(key=planted, answer=lambda body: f"your key is {planted}")
        settings = {"key_env": "TEACHER_KEY", "stream": stream}
        with running(telling) as server, open_engine(server.url, **settings) as engine:
            assert texts(engine.ask("teacher", asks(1, start=int(stream)))) == ["your key is [key]"]
            assert not [p for p in tmp_path.rglob("*") if p.is_file() and planted.encode() in p.read_bytes()]


def test_a_wrong_model_name_stops_at_once(open_engine: Any) -> None:
    with running(Behaviour(models=("right",))) as server, open_engine(server.url) as engine:
        with pytest.raises(UsageError, match="`m` does not exist") as caught:
            engine.ask("teacher", asks(100))
        assert "check `endpoint`" in str(caught.value)


def test_a_role_that_is_not_there_is_told_with_the_nearest(open_engine: Any) -> None:
    with (
        open_engine("http://127.0.0.1:9/v1") as engine,
        pytest.raises(UnknownName, match="you mean 'teacher'"),
    ):
        engine.ask("techer", asks(1))


def test_a_server_that_is_down_stops_the_run_and_no_row_fails(open_engine: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with open_engine(url) as engine:
            with pytest.raises(MissingInput, match=r"no answer for 0\.3 seconds") as caught:
                engine.ask("teacher", asks(20))
            assert "cannot be reached" in str(caught.value)
            assert engine.spending().usd == 0


def test_a_server_that_goes_away_for_a_while_costs_no_row(open_engine: Any) -> None:
    with running(Behaviour(latency_s=0.02)) as server, open_engine(
        server.url, parallel=8, outage_s=20, retries=0, timeout_s=20
    ) as engine:  # fmt: skip
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(engine.ask("teacher", asks(150))))
        thread.start()
        while sent(server) < 40:
            time.sleep(0.01)
        loop = server._runner.server._loop  # type: ignore[union-attr]
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        time.sleep(0.3)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        thread.join()
        failed = [each for each in found if isinstance(each, CallFailure)]
        assert len(found) == 150
        assert len(failed) <= 8  # those whose answers broke off: without retries they may not be sent again
        assert max(server.answered.values()) == 1


def test_a_dead_replica_is_left_out_and_the_store_does_not_care_who_answered(open_engine: Any) -> None:
    with running() as one, running() as two:
        with open_engine([one.url, two.url], parallel=4) as engine:
            engine.ask("teacher", asks(40))
            assert min(sent(one), sent(two)) > 5
        with open_engine(["http://127.0.0.1:9/v1", two.url]) as engine:
            assert len(texts(engine.ask("teacher", asks(80)))) == 80
        assert sent(one) + sent(two) == 80


def test_the_budget_pauses_the_run_and_the_next_goes_on(open_engine: Any) -> None:
    price = {"price": {"in": 0, "out": 1000}, "max_tokens": 10, "parallel": 4}
    ten_words = Behaviour(answer=lambda body: "x " * 10)
    with running(ten_words) as server:
        with open_engine(server.url, usd=0.055, **price) as engine:
            with pytest.raises(BudgetReached, match=r"0\.055 USD is reached: 0\.05 are spent"):
                engine.ask("teacher", asks(50))
            assert engine.spending().usd == pytest.approx(0.05)
            assert sent(server) == 5
        with open_engine(server.url, usd=0.055, **price) as engine:  # the same run: its spending counts
            with pytest.raises(BudgetReached):
                engine.ask("teacher", asks(50))
            assert sent(server) == 5
        with open_engine(server.url, usd=0.5, **price) as engine:
            assert len(texts(engine.ask("teacher", asks(50)))) == 50
            assert sent(server) == 50
