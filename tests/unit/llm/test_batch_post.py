"""Batch files that are handed to a server: the same replies, nothing twice, whatever is killed when."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from zhiling.errors import AwaitingBatch, BudgetReached, MissingInput, UsageError
from zhiling.llm import batch_post, batch_server
from zhiling.llm.batch_server import BatchServer
from zhiling.llm.engine import Engine
from zhiling.llm.failures import CallFailure
from zhiling.llm.fake_batches import BATCH_FAULTS, FakeBatches
from zhiling.llm.fake_server import Behaviour, FakeServer, running
from zhiling.llm.limits import Limits
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.store import ResponseStore
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, CompletionRequest, JsonReply, Sampling, user

POSTED = {"batch": True, "batch_poll_s": 0.01}
TEXTS = ["How do I reset the lock?", "怎么重置门锁？"]
Opened = Callable[..., Any]


@pytest.fixture(autouse=True)
def _short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_post, "LINGER_S", 0.05)


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens an engine with one role, `t`, on the project's database."""

    @contextmanager
    def engine(
        url: str | list[str], run: str = "r", limits: Limits | None = None, **settings: Any
    ) -> Generator[Engine]:
        wanted = {"endpoint": url, "model": "m", "price": {"in": 1, "out": 1}, "outage_s": 0.5}
        role = Role.model_validate(wanted | POSTED | settings)
        with Engine({"t": role}, tmp_path / "z.sqlite", run=run, limits=limits, seed=1) as found:
            yield found

    return engine


def asks(count: int, *, start: int = 0, samples: int = 1) -> list[Ask]:
    requests = [
        ChatRequest(user(f"{TEXTS[number % 2]} {number}"), Sampling(max_tokens=50))
        for number in range(start, start + count)
    ]
    return [Ask(request, sample) for request in requests for sample in range(samples)]


def texts(outcomes: list[Reply | CallFailure]) -> list[str]:
    assert all(isinstance(each, Reply) for each in outcomes), outcomes
    return [each.text for each in outcomes if isinstance(each, Reply)]


def computed(server: FakeServer) -> int:
    return sum(server.seen.values())


def lines_of(server: FakeServer, number: int) -> int:
    """How many requests the file of a batch holds."""
    told, _ = list(server.batches.batches.values())[number]
    return server.batches.files[told["input_file_id"]].count(b"\n")


def awaited(root: Path) -> int:
    with ResponseStore(root / "z.sqlite") as store:
        return len(store.awaited_of("t"))


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


# ---- killed ----


class Killed(BaseException):
    """Stands for kill -9: nothing behind it runs."""


def interrupted(engine: Engine, count: int, until: Callable[[], bool]) -> None:
    """Asks in a thread and leaves the engine when it has come so far; what it does then is cut off."""
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            engine.ask("t", asks(count))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end, errors
        time.sleep(0.002)
    engine.close()
    thread.join(20)
    assert errors


CALLS = 120
STAGES = {
    "calls noted": (batch_post.PostingSender, "_gather", True),
    "file named": (batch_post.PostingSender, "_handed_over", True),
    "file uploaded": (BatchServer, "upload", False),
    "upload written down": (BatchServer, "create", True),
    "batch created": (BatchServer, "create", False),
    "batch written down": (BatchServer, "ended", True),
    "batch ended": (BatchServer, "ended", False),
    "some stored": (batch_post.PostingSender, "_take", False),
}
"""Where a run is cut off: in front of a method or behind it."""


def stand_still(stage: str, patched: pytest.MonkeyPatch) -> threading.Event:
    """Makes every run stop for ever at a stage; tells when it does."""
    owner, name, before = STAGES[stage]
    whole, there = getattr(owner, name), threading.Event()

    async def held(self: Any, *args: Any, **more: Any) -> None:
        if not before:
            await whole(self, *args, **more)
        there.set()
        await asyncio.sleep(60)

    patched.setattr(owner, name, held)
    patched.setattr(batch_server, "_TOGETHER", 10)
    return there


@pytest.mark.parametrize(
    ("stage", "again"),
    [
        *((stage, "r") for stage in STAGES),
        ("upload written down", "another run"),
        ("some stored", "another run"),
    ],
)
def test_after_a_kill_at_any_stage_each_request_is_computed_once(
    stage: str, again: str, opened: Opened, tmp_path: Path
) -> None:
    with running(Behaviour(batch_s=0.05)) as server:
        with pytest.MonkeyPatch.context() as patched, opened(server.url) as engine:
            interrupted(engine, CALLS, stand_still(stage, patched).is_set)
        before = computed(server)
        assert (before > 0) == (list(STAGES).index(stage) > 3)
        with opened(server.url, run=again) as engine:
            assert len(texts(engine.ask("t", asks(CALLS + 1)))) == CALLS + 1
            mine = engine.spending()
        assert max(server.seen.values()) == 1
        assert computed(server) == CALLS + 1
        with ResponseStore(tmp_path / "z.sqlite") as store:
            runs = {run: store.spending(run) for run in ("r", "another run")}
        assert sum(each.calls for each in runs.values()) == CALLS + 1
        assert sum(each.unsettled for each in runs.values()) == 0
        billed = server.prompt_tokens + server.completion_tokens
        assert sum(each.pico for each in runs.values()) == 10**6 * billed
        assert mine.calls == (CALLS + 1 if again == "r" else 1)
    assert awaited(tmp_path) == 0


PROGRAM = """
import sys
from pathlib import Path
from tests.unit.llm import test_batch_post
from zhiling.llm.engine import Engine
from zhiling.llm.role import Role
role = Role.model_validate({"endpoint": sys.argv[1], "model": "m", **test_batch_post.POSTED})
with Engine({"t": role}, Path(sys.argv[2]), run="r") as engine:
    engine.ask("t", test_batch_post.asks(test_batch_post.CALLS))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_ends_leaves_its_batch_to_the_next(
    how: signal.Signals, opened: Opened, tmp_path: Path
) -> None:
    with running(Behaviour(batch_s=2)) as server:
        command = [sys.executable, "-c", PROGRAM, server.url, str(tmp_path / "z.sqlite")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while not server.batches.batches:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(how)
            told = process.communicate(timeout=60)[1]
        assert process.returncode != 0
        assert ("KeyboardInterrupt" in told) == (how is signal.SIGINT)
        with opened(server.url) as engine:
            assert len(texts(engine.ask("t", asks(CALLS)))) == CALLS
            assert (engine.spending().calls, engine.spending().unsettled) == (CALLS, 0)
        assert (computed(server), max(server.seen.values())) == (CALLS, 1)


def test_two_runs_at_once_in_one_folder_wait_for_the_same_batch(opened: Opened, tmp_path: Path) -> None:
    cap = Limits(calls=31)
    with running(Behaviour(batch_s=0.6)) as server, opened(server.url, limits=cap) as first:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(first.ask("t", asks(30))))
        thread.start()
        while not server.batches.batches:
            time.sleep(0.005)
        with opened(server.url, run="other") as second:
            assert len(texts(second.ask("t", asks(31)))) == 31
            assert second.spending().calls == 1
        thread.join()
        assert len(texts(found)) == 30
        assert (first.spending().calls, first.spending().unsettled) == (30, 0)
        assert len(texts(first.ask("t", asks(32)))) == 32  # one reply is the other's
        with pytest.raises(BudgetReached):  # none is taken to be on its way: nobody waits
            first.ask("t", asks(33))
        assert (computed(server), awaited(tmp_path)) == (32, 0)


def test_what_a_stopped_run_never_uploaded_is_not_sent_for_a_changed_prompt(
    opened: Opened, tmp_path: Path
) -> None:
    with running() as server:
        with pytest.MonkeyPatch.context() as patched, opened(server.url) as engine:
            interrupted(engine, 20, stand_still("file named", patched).is_set)
            assert engine is not None
        with opened(server.url) as engine:
            engine.ask("t", asks(5, start=100))
            assert (engine.spending().calls, engine.spending().unsettled) == (5, 0)
        assert (computed(server), awaited(tmp_path)) == (5, 0)


def test_a_file_that_was_written_for_people_is_not_handed_over(opened: Opened) -> None:
    with running() as server:
        with opened(server.url, batch_poll_s=None) as engine, pytest.raises(AwaitingBatch):
            engine.ask("t", asks(3))
        with opened(server.url) as engine, pytest.raises(AwaitingBatch, match=r"batches/t-0001.jsonl, which"):
            engine.ask("t", asks(3))
        assert computed(server) == 0


def test_a_batch_of_an_endpoint_that_was_taken_out_is_told(opened: Opened) -> None:
    with running() as server, running() as other:
        with pytest.MonkeyPatch.context() as patched, opened(server.url) as engine:
            interrupted(engine, 5, stand_still("batch written down", patched).is_set)
        with opened(other.url) as engine, pytest.raises(UsageError, match="no endpoint of role 't'"):
            engine.ask("t", asks(5))
        with opened([other.url, server.url]) as engine:
            assert len(texts(engine.ask("t", asks(5)))) == 5
        assert computed(server) + computed(other) == 5


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


def test_a_cap_that_calls_with_a_server_take_up_is_waited_for(opened: Opened) -> None:
    with running(Behaviour(batch_s=0.5)) as server:
        cap = Limits(calls=10)
        with pytest.MonkeyPatch.context() as patched, opened(server.url, limits=cap) as engine:
            interrupted(engine, 10, stand_still("batch written down", patched).is_set)
        with opened(server.url, limits=cap) as engine:
            with pytest.raises(BudgetReached):
                engine.ask("t", asks(11))
            assert (engine.spending().calls, engine.spending().unsettled) == (10, 0)
            assert computed(server) == 10


def test_the_deadline_leaves_a_batch_to_the_next_run(opened: Opened) -> None:
    with running(Behaviour(batch_s=0.6)) as server:
        with opened(server.url, limits=Limits(minutes=0.004)) as engine:
            threads = threading.Timer(0.3, lambda: _quiet(lambda: engine.ask("t", asks(1, start=50))))
            threads.start()
            with pytest.raises(BudgetReached, match="minutes are over"):
                engine.ask("t", asks(10))
            threads.join()
        with opened(server.url) as engine:
            assert len(texts(engine.ask("t", asks(10)))) == 10
        assert computed(server) == 10


def _quiet(work: Callable[[], object]) -> None:
    with contextlib.suppress(BudgetReached):
        work()


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


def test_a_batch_is_found_on_whichever_page_of_the_list_it_stands(opened: Opened) -> None:
    with running() as server, pytest.MonkeyPatch.context() as patched:
        patched.setattr(batch_server, "_PER_PAGE", 2)
        with pytest.MonkeyPatch.context() as stopped, opened(server.url) as engine:
            interrupted(engine, 7, stand_still("batch created", stopped).is_set)
        others = {"object": "batch", "input_file_id": "other", "status": "completed"}
        for name in ("batch-90", "batch-91", "batch-92", "batch-93", "batch-94"):
            server.batches.batches[name] = {"id": name, **others}, 0.0
        made = len(server.batches.batches)
        with opened(server.url) as engine:
            assert len(texts(engine.ask("t", asks(7)))) == 7
        assert (computed(server), len(server.batches.batches)) == (7, made)


def test_a_server_that_lists_no_batches_may_have_made_one_and_so_its_most_counts(opened: Opened) -> None:
    with running() as server:
        with pytest.MonkeyPatch.context() as stopped, opened(server.url) as engine:
            interrupted(engine, 3, stand_still("batch created", stopped).is_set)
        whole = server.batches.answer

        async def silent(request: Any) -> Any:
            return None if (request.method, request.path) == ("GET", "/v1/batches") else await whole(request)

        server.batches.answer = silent  # type: ignore[method-assign]
        with opened(server.url) as engine, pytest.raises(UsageError, match="is not taken"):
            engine.ask("t", asks(3))
        with opened(server.url) as engine:
            assert engine.spending().usd > 0
            assert engine.spending().unsettled == 0


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
