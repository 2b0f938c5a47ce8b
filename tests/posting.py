"""Roles that hand over batch files: engines, requests, and runs that are cut off at a given stage."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from zhiling.llm import batch_post, batch_server
from zhiling.llm.batch_server import BatchServer
from zhiling.llm.engine import Engine
from zhiling.llm.failures import CallFailure
from zhiling.llm.fake_server import FakeServer
from zhiling.llm.limits import Limits
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.store import ResponseStore
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, Sampling, user

POSTED = {"batch": True, "batch_poll_s": 0.01}
TEXTS = ["How do I reset the lock?", "怎么重置门锁？"]
Opened = Callable[..., Any]


def opener(root: Path) -> Opened:
    """Opens an engine with one role, `t`, which hands over batch files, on the database of a folder."""

    @contextmanager
    def engine(
        url: str | list[str], run: str = "r", limits: Limits | None = None, **settings: Any
    ) -> Generator[Engine]:
        wanted = {"endpoint": url, "model": "m", "price": {"in": 1, "out": 1}, "outage_s": 0.5}
        role = Role.model_validate(wanted | POSTED | settings)
        with Engine({"t": role}, root / "z.sqlite", run=run, limits=limits, seed=1) as found:
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
