"""Replicas: work goes where there is room, a dead one is left out and comes back, an outage ends the run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from zhiling.errors import BudgetReached, MissingInput
from zhiling.llm.endpoints import Endpoint, Endpoints, Result
from zhiling.llm.failures import Stop
from zhiling.llm.pace import Pace


def replicas(*names: str, most: int = 4, outage_s: float = 60) -> Endpoints:
    clock = asyncio.get_running_loop().time
    made = [Endpoint(f"http://{name}/v1", most, Pace(), clock) for name in names]
    return Endpoints(made, outage_s, clock)


def told(story: Callable[[], Awaitable[object]]) -> object:
    async def run() -> object:
        return await asyncio.wait_for(story(), 20)

    return asyncio.run(run())


def test_the_least_busy_is_asked_and_nobody_gets_more_than_its_limit() -> None:
    async def story() -> None:
        ends = replicas("a", "b", most=2)
        places = [await ends.acquire() for _ in range(4)]
        assert Counter(place.host for place in places) == {"a": 2, "b": 2}
        fifth = asyncio.create_task(ends.acquire())
        await asyncio.sleep(0)
        assert not fifth.done()
        ends.release(places[1], Result.ANSWERED)
        assert (await fifth) is places[1]

    told(story)


def test_one_that_refuses_connections_is_left_out_and_comes_back() -> None:
    async def story() -> None:
        ends = replicas("a", "b")
        dead = await ends.acquire()
        ends.release(dead, Result.UNREACHABLE, "refused")
        others = [await ends.acquire() for _ in range(4)]
        assert dead not in others
        trial = await ends.acquire()  # waits until it has rested
        assert trial is dead
        later = asyncio.create_task(ends.acquire())
        await asyncio.sleep(0.01)
        assert not later.done()  # a single request tries it
        ends.release(trial, Result.ANSWERED)
        assert (await later) is dead

    told(story)


def test_one_that_only_fails_is_left_out_after_some_failures() -> None:
    async def story() -> int:
        ends = replicas("a", "b", most=1)
        for number in range(100):
            place = await ends.acquire()
            ends.release(place, Result.FAILED if place.host == "a" else Result.ANSWERED)
            if ends.endpoints[0].resting:
                return number
        return -1

    assert 10 <= int(str(told(story))) <= 20


def test_refusals_for_load_are_a_sign_of_life() -> None:
    async def story() -> None:
        ends = replicas("a", most=1)
        for _ in range(50):
            ends.release(await ends.acquire(), Result.REFUSED)
        assert ends.stopped is None
        assert not ends.endpoints[0].resting

    told(story)


def test_when_all_are_away_for_too_long_the_run_stops_with_the_reason() -> None:
    async def story() -> None:
        ends = replicas("a", "b", outage_s=0.2)

        async def keep_trying() -> None:
            while True:
                ends.release(await ends.acquire(), Result.UNREACHABLE, "connection refused")

        with pytest.raises(Stop) as stop:
            await keep_trying()
        assert isinstance(stop.value.error, MissingInput)
        assert "no answer for 0.2 seconds" in str(stop.value)
        assert "http://b/v1: connection refused" in str(stop.value)

    told(story)


def test_one_answer_ends_an_outage() -> None:
    async def story() -> None:
        ends = replicas("a", outage_s=0.2)
        for _ in range(3):
            ends.release(await ends.acquire(), Result.UNREACHABLE, "refused")
            await asyncio.sleep(0.1)
            ends.release(await ends.acquire(), Result.ANSWERED)
        assert ends.stopped is None

    told(story)


def test_a_stop_wakes_whoever_waits_or_sleeps() -> None:
    async def story() -> None:
        ends = replicas("a", most=1)
        await ends.acquire()
        waiting = [asyncio.create_task(ends.acquire()), asyncio.create_task(ends.pause(3600))]
        await asyncio.sleep(0)
        ends.stop(BudgetReached("no money"))
        first, second = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, Stop)
        assert isinstance(second, Stop)
        with pytest.raises(Stop, match="no money"):
            await ends.acquire()

    told(story)


def test_a_cancelled_waiter_takes_no_place_with_it() -> None:
    async def story() -> None:
        ends = replicas("a", most=1)
        place = await ends.acquire()
        waiting = asyncio.create_task(ends.acquire())
        await asyncio.sleep(0)
        ends.release(place, Result.ANSWERED)  # granted, but cancelled before it runs
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (await ends.acquire()) is place
        assert place.in_flight == 1

    told(story)
