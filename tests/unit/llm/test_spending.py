"""No run is ever billed more than its cap: 200 runs of random prices, lengths, faults and numbers at once.

The bank below stands for a server that bills whatever it works on, also where the answer never arrives. The
same over HTTP, by what the server counts, is benchmarks/generation/cap.py.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any, cast

import orjson
import pytest

from zhiling.errors import BudgetReached, StepFailed
from zhiling.llm.client import Client
from zhiling.llm.endpoints import Endpoint, Endpoints
from zhiling.llm.failures import CallFailure, FailureClass
from zhiling.llm.journal import Journal
from zhiling.llm.ledger import Ledger
from zhiling.llm.limits import Limits, Meter
from zhiling.llm.pace import Backoff, Pace
from zhiling.llm.role import PICO, Role
from zhiling.llm.sender import Sender
from zhiling.llm.transport import Answer, Broken
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, Sampling, user

URL = "http://127.0.0.1:9/v1"


class Bank:
    """A server in this process that bills: what it was asked, and how that went, are drawn."""

    def __init__(self, draw: random.Random, role: Role) -> None:
        self.draw, self.price = draw, role.price
        self.billed = self.sent = 0

    async def send(self, endpoint: Endpoint, path: str, body: bytes) -> Answer:
        self.sent += 1
        for _ in range(self.draw.randrange(5)):
            await asyncio.sleep(0)
        fate = self.draw.random()
        if fate < 0.15:
            return Answer(429, {"Retry-After": "0"}, b"{}")
        if fate < 0.2:
            return Answer(500, {}, b"{}")
        asked = orjson.loads(body)
        # A token a byte and all of `max_tokens` is the worst that a server can honestly bill.
        prompt = self.draw.randrange(1, len(orjson.dumps(asked["messages"])))
        completion = self.draw.choice(
            [1, asked["max_tokens"], self.draw.randrange(1, asked["max_tokens"] + 1)]
        )
        self.billed += self.price.pico(prompt, completion)
        if fate < 0.3:
            raise Broken(CallFailure(FailureClass.SERVER, "it broke off"))
        usage = {"prompt_tokens": prompt, "completion_tokens": completion}
        tree = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
        return Answer(200, {}, b"", tree if fate < 0.9 else tree | {"usage": None})

    async def close(self) -> None:
        """Nothing to close."""


class Memory:
    """A journal that forgets; from its `full` write on the disk is full."""

    def __init__(self, full: int | None = None) -> None:
        self.writes, self.full = 0, full

    async def find(self, keys: Iterable[bytes]) -> dict[Any, bytes]:
        list(keys)
        return {}

    async def write(self, **_: object) -> None:
        self.writes += 1
        await asyncio.sleep(0)
        if self.full is not None and self.writes >= self.full:
            raise StepFailed("the disk is full")


def opened(draw: random.Random, limits: Limits, memory: Memory | None = None) -> tuple[Client, Bank, Meter]:
    price = {"in": draw.choice([0, 0.3, 20]), "out": draw.uniform(1, 90)}
    parallel = draw.choice([1, 3, 20])
    role = Role.model_validate(
        {"endpoint": URL, "model": "m", "price": price, "parallel": parallel, "retries": 10**6}
    )
    bank, meter = Bank(draw, role), Meter(limits)
    journal = cast(Journal, memory or Memory())
    clock = asyncio.get_running_loop().time
    endpoints = Endpoints([Endpoint(URL, parallel, Pace(), clock)], 60, clock)
    backoff = Backoff(draw.randrange(99))
    backoff.wait_s = lambda tried, asked_for=None: 1e-9  # type: ignore[method-assign]
    sender = Sender("t", role, endpoints, bank, Ledger("r", journal, meter), backoff)
    return Client(sender, "identity", journal), bank, meter


def requests(draw: random.Random, count: int) -> list[Ask]:
    return [
        Ask(
            ChatRequest(
                user("字 " * draw.randrange(1, 30) + str(n)), Sampling(max_tokens=draw.randrange(1, 200))
            )
        )
        for n in range(count)
    ]


async def trial(seed: int) -> bool:
    draw = random.Random(seed)
    limits = Limits(usd=draw.uniform(0.0, 0.2))
    client, bank, meter = opened(draw, limits)
    try:
        await client.replies(requests(draw, 60))
        reached = False
    except BudgetReached:
        reached = True
    assert bank.billed <= cast(float, limits.usd) * PICO
    assert meter.usd <= cast(float, limits.usd)
    assert bank.billed <= meter.usd * PICO + 1
    return reached


def test_200_runs_are_never_billed_more_than_their_cap() -> None:
    async def all_trials() -> list[bool]:
        return [await asyncio.wait_for(trial(seed), 30) for seed in range(200)]

    reached = asyncio.run(all_trials())
    assert 20 < sum(reached) < 190  # some were stopped, some came through


@pytest.mark.parametrize(("limit", "most"), [({"calls": 7}, 7), ({"tokens": 900}, None), ({"usd": 0}, 0)])
def test_calls_and_tokens_are_limits_as_well(limit: dict[str, float], most: int | None) -> None:
    async def story() -> None:
        client, bank, meter = opened(random.Random(1), Limits.model_validate(limit))
        with pytest.raises(BudgetReached):
            await client.replies(requests(random.Random(1), 60))
        assert meter.tokens <= limit.get("tokens", 10**9)
        if most is not None:
            assert meter.calls <= most
        assert bank.sent > 0 or most == 0

    asyncio.run(asyncio.wait_for(story(), 30))


@pytest.mark.parametrize("full", [1, 2, 3, 10, 41])
def test_a_full_disk_stops_the_run_and_leaves_nobody_waiting(full: int) -> None:
    async def story() -> None:
        client, bank, _ = opened(random.Random(0), Limits(usd=0.3), Memory(full))
        with pytest.raises(StepFailed, match="full"):
            await client.replies(requests(random.Random(1), 60))
        assert bank.sent <= full

    asyncio.run(asyncio.wait_for(story(), 30))
