"""A process that is killed: what is stored is not sent again, and what was in flight stays paid for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from zhiling.llm.engine import Engine
from zhiling.llm.fake_server import Behaviour, running
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.store import ResponseStore
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, user

COUNT, PARALLEL = 300, 16
PROGRAM = """
import sys
from pathlib import Path
from tests.unit.llm.test_kill import ask
ask(sys.argv[1], Path(sys.argv[2]))
"""


def ask(url: str, database: Path) -> list[object]:
    role = Role.model_validate(
        {"endpoint": url, "model": "m", "parallel": PARALLEL, "price": {"in": 1, "out": 1}}
    )
    with Engine({"t": role}, database, run="r") as engine:
        return list(engine.ask("t", [Ask(ChatRequest(user(f"{n} 号"))) for n in range(COUNT)]))


def test_after_kill_9_only_what_was_in_flight_is_sent_again(tmp_path: Path) -> None:
    database = tmp_path / "z.sqlite"
    with running(Behaviour(latency_s=0.1)) as server:  # so that a kill hardly falls between two waves
        killed = subprocess.Popen([sys.executable, "-c", PROGRAM, server.url, str(database)])
        while sum(server.answered.values()) < COUNT // 3:
            assert killed.poll() is None
            time.sleep(0.005)
        killed.kill()
        killed.wait()
        while server.in_flight:
            time.sleep(0.01)
        before = sum(server.seen.values())
        with ResponseStore(database) as store:
            spent = store.spending("r")
        assert before - PARALLEL <= spent.calls - spent.unsettled <= before
        assert 0 < spent.unsettled <= PARALLEL
        outcomes = ask(server.url, database)
        assert all(isinstance(each, Reply) for each in outcomes)
        sent_again = sum(server.seen.values()) - COUNT
        assert len(server.seen) == COUNT
        assert sent_again == before - (spent.calls - spent.unsettled) <= PARALLEL
        with ResponseStore(database) as store:
            after = store.spending("r")
        assert after.unsettled == spent.unsettled  # they may have been billed: they stay counted
        assert after.calls == COUNT + spent.unsettled


def test_ctrl_c_waits_for_what_is_on_its_way_and_stores_it(tmp_path: Path) -> None:
    database = tmp_path / "z.sqlite"
    with running(Behaviour(latency_s=0.05)) as server:
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, server.url, str(database)], stderr=subprocess.PIPE, text=True
        ) as stopped:
            while sum(server.answered.values()) < COUNT // 4:
                assert stopped.poll() is None
                time.sleep(0.005)
            stopped.send_signal(signal.SIGINT)
            told = stopped.communicate(timeout=60)[1]
        assert "KeyboardInterrupt" in told
        sent = sum(server.seen.values())
        with ResponseStore(database) as store:
            spent = store.spending("r")
        assert sent < COUNT
        assert (spent.calls, spent.unsettled) == (sent, 0)
