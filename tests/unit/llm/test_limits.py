"""Hard limits: never passed whatever calls cost and in whatever order they end, and never a deadlock."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.errors import BudgetReached
from zhiling.llm.limits import Cost, Deadline, Limits, Meter
from zhiling.llm.role import PICO
from zhiling.llm.store import Spending


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def limits(**most: float) -> Limits:
    return Limits.model_validate(most)


async def drained(meter: Meter, costs: list[tuple[Cost, Cost]], seed: int, parallel: int) -> tuple[int, int]:
    """Runs calls in parallel with random delays: how many were sent, how many were stopped."""
    draw, place = random.Random(seed), asyncio.Semaphore(parallel)
    sent = stopped = 0
    peak = [0.0, 0, 0]

    async def call(most: Cost, actual: Cost) -> None:
        nonlocal sent, stopped
        async with place:
            try:
                await meter.reserve(most)
            except BudgetReached:
                stopped += 1
                return
            sent += 1
            for index, used in enumerate((meter.usd, meter.calls, meter.tokens)):
                peak[index] = max(peak[index], used)
            for _ in range(draw.randrange(4)):
                await asyncio.sleep(0)
            meter.settle(most, actual)

    await asyncio.gather(*(call(*each) for each in costs))
    for used, most in zip(peak, (meter.limits.usd, meter.limits.calls, meter.limits.tokens), strict=True):
        assert most is None or used <= most + 1e-12
    return sent, stopped


amounts = st.integers(0, 400).flatmap(lambda most: st.tuples(st.just(most), st.integers(0, most)))


@settings(deadline=None)
@given(
    st.lists(amounts, max_size=60),
    st.integers(0, 2000),
    st.integers(0, 40),
    st.integers(0, 9),
    st.integers(1, 9),
)
def test_no_limit_is_ever_passed_and_every_call_is_decided(
    costs: list[tuple[int, int]], usd: int, calls: int, seed: int, parallel: int
) -> None:
    meter = Meter(limits(usd=usd / PICO * 1000, calls=calls, tokens=3000))
    pairs = [(Cost(1000 * most, most, 0), Cost(1000 * actual, actual, 0)) for most, actual in costs]
    sent, stopped = asyncio.run(drained(meter, pairs, seed, parallel))
    assert sent + stopped == len(costs)
    assert meter.calls == sent <= calls


def test_a_call_waits_for_those_in_flight_before_the_limit_is_called_reached() -> None:
    async def story() -> list[str]:
        meter, told = Meter(limits(usd=10 / PICO)), list[str]()
        await meter.reserve(Cost(8, 1, 1))

        async def second() -> None:
            await meter.reserve(Cost(8, 1, 1))
            told.append("second")

        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        told.append("first ends")
        meter.settle(Cost(8, 1, 1), Cost(2, 1, 1))
        await waiting
        return told

    assert asyncio.run(story()) == ["first ends", "second"]


def test_the_limit_is_told_with_what_is_spent_when_nothing_is_left_to_wait_for() -> None:
    meter = Meter(limits(usd=1), Spending(calls=7, pico=PICO * 9 // 10))
    with pytest.raises(
        BudgetReached, match=r"1 USD is reached: 0\.9 are spent, the next call may take 0\.2"
    ) as it:
        asyncio.run(meter.reserve(Cost(PICO // 5, 1, 1)))
    assert it.value.exit_code == 4
    assert meter.calls == 7


def test_no_call_is_sent_after_the_last_minute() -> None:
    clock = Clock()
    meter = Meter(limits(minutes=2), deadline=Deadline(2, clock))
    asyncio.run(meter.reserve(Cost(0, 0, 0)))
    clock.now += 120
    with pytest.raises(BudgetReached, match="2 minutes are over"):
        asyncio.run(meter.reserve(Cost(0, 0, 0)))
    assert meter.calls == 1


def test_a_cancelled_waiter_leaves_no_money_behind() -> None:
    async def story() -> float:
        meter = Meter(limits(usd=10 / PICO))
        await meter.reserve(Cost(8, 1, 1))
        waiting = asyncio.create_task(meter.reserve(Cost(8, 1, 1)))
        granted = asyncio.create_task(meter.reserve(Cost(4, 1, 1)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        meter.settle(Cost(8, 1, 1), Cost(0, 0, 0))
        granted.cancel()  # its grant and its end cross
        await asyncio.gather(waiting, granted, return_exceptions=True)
        return meter.usd

    assert asyncio.run(story()) == 0


def test_what_is_left_is_the_share_of_the_scarcest_limit() -> None:
    spent = Spending(calls=30, pico=PICO, prompt=50, completion=50)
    assert limits().left(spent) is None
    assert limits(minutes=5).left(spent) is None
    assert limits(calls=40, usd=2).left(spent) == pytest.approx(0.25)
    assert limits(calls=40, tokens=110).left(spent) == pytest.approx(1 / 11)
    assert limits(calls=20).left(spent) == limits(usd=0).left(spent) == 0
