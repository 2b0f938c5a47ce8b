"""Runs with batches that are cut off anywhere: the next goes on with the same batch, nothing is sent anew."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.posting import (
    CALLS,
    STAGES,
    Opened,
    asks,
    awaited,
    computed,
    interrupted,
    opener,
    stand_still,
    texts,
)
from zhiling.errors import AwaitingBatch, BudgetReached, UsageError
from zhiling.llm import batch_post, batch_server
from zhiling.llm.fake_server import Behaviour, running
from zhiling.llm.limits import Limits
from zhiling.llm.store import ResponseStore


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens an engine on the project's database."""
    monkeypatch.setattr(batch_post, "LINGER_S", 0.05)
    return opener(tmp_path)


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
from tests import posting
from zhiling.llm.engine import Engine
from zhiling.llm.role import Role
role = Role.model_validate({"endpoint": sys.argv[1], "model": "m", **posting.POSTED})
with Engine({"t": role}, Path(sys.argv[2]), run="r") as engine:
    engine.ask("t", posting.asks(posting.CALLS))
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


def test_switched_off_the_rest_is_sent_directly_and_what_a_server_has_is_waited_for(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_server, "POLL_S", 0.01)
    with running(Behaviour(batch_s=0.3)) as server:
        with pytest.MonkeyPatch.context() as patched, opened(server.url) as engine:
            interrupted(engine, 10, stand_still("batch written down", patched).is_set)
        with opened(server.url, batch=False, batch_poll_s=None) as engine:
            assert len(texts(engine.ask("t", asks(14, samples=2)))) == 28
            assert (engine.spending().calls, engine.spending().unsettled) == (24, 0)
        assert computed(server) == 10 + 10 + 4  # by the batch, their second samples, both samples of the new
        assert (len(server.batches.batches), awaited(tmp_path)) == (1, 0)


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
