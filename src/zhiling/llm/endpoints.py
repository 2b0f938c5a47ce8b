"""The replicas of one role: the least busy one is asked, a dead one is left out and tried again.

An endpoint that refuses connections is out at once, one that only fails is out after ten failures in a row;
after a while that doubles each time a single request tries it. When all are out for too long the run stops:
its rows are not at fault, so they do not fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from urllib.parse import urlsplit

from zhiling.errors import MissingInput, ZhilingError
from zhiling.llm.concurrency import AdaptiveLimit
from zhiling.llm.failures import Stop
from zhiling.llm.pace import Pace

_DEAD_AFTER = 10
_FIRST_REST_S, _LONGEST_REST_S = 0.25, 30.0
_START_OUTAGE_S = 5.0
"""How long endpoints may be away that never answered: most likely the address is wrong."""


class Result(Enum):
    """How a request went, as far as its endpoint is concerned."""

    UNUSED = "unused"
    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


class Endpoint:
    """One replica: how busy it is, and whether it answers."""

    def __init__(self, url: str, most: int, pace: Pace, clock: Callable[[], float]) -> None:
        self.url = url.rstrip("/")
        self.host = urlsplit(url).netloc
        self.pace = pace
        self.limit = AdaptiveLimit(most, clock=clock)
        self.in_flight = self.served = 0
        self.strikes = 0
        self.rests = 0
        self.down_since: float | None = None
        self.resting = False
        self.trouble = ""

    @property
    def free(self) -> bool:
        """Whether it takes another request; after a rest, only one to try."""
        most = 1 if self.rests else int(self.limit.limit)
        return not self.resting and self.in_flight < most

    @property
    def load(self) -> float:
        """Share of its places that are taken."""
        return self.in_flight / self.limit.limit


class Endpoints:
    """Hands out places at endpoints.

    Args:
        endpoints: the replicas.
        outage_s: how long all may be away before `acquire` raises.
        clock: seconds, for tests.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], outage_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.answered = False
        self._outage_s, self._clock = outage_s, clock
        self._waiting: deque[asyncio.Future[Endpoint]] = deque()
        self._stopped: ZhilingError | None = None
        self._halt = asyncio.Event()

    @property
    def stopped(self) -> ZhilingError | None:
        """Why no place is handed out any more."""
        return self._stopped

    async def acquire(self) -> Endpoint:
        """The least busy endpoint, with a place taken; waits for one.

        Raises:
            Stop: all endpoints have been away for too long, or `stop` was called.
        """
        if self._stopped is not None:
            raise Stop(self._stopped)
        found = None if self._waiting else self._least_busy()
        if found is not None:
            found.in_flight += 1
            return found
        place: asyncio.Future[Endpoint] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                place.result().in_flight -= 1
                self._serve()
            raise

    def release(self, endpoint: Endpoint, result: Result, trouble: str = "") -> None:
        """Gives the place back and tells how the request went, and what the trouble was."""
        endpoint.in_flight -= 1
        endpoint.served += 1
        endpoint.trouble = trouble or endpoint.trouble
        busy = endpoint.in_flight + 1
        if result is Result.ANSWERED:
            endpoint.limit.answered(busy)
            endpoint.strikes = endpoint.rests = 0
            endpoint.down_since = None
            self.answered = True
        elif result is Result.REFUSED:  # it lives, and is busy
            endpoint.limit.refused(busy)
            endpoint.strikes = endpoint.rests = 0
            endpoint.down_since = None
        elif result is not Result.UNUSED:
            endpoint.limit.refused(busy)
            self._strike(endpoint, result)
        self._serve()

    async def pause(self, seconds: float) -> None:
        """Sleeps so long.

        Raises:
            Stop: `stop` was called before or meanwhile.
        """
        if self._stopped is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._halt.wait(), seconds)
        if self._stopped is not None:
            raise Stop(self._stopped)

    def stop(self, error: ZhilingError) -> None:
        """No place is handed out any more; who waits for one is told why."""
        self._stopped = self._stopped or error
        self._halt.set()
        for place in self._waiting:
            if not place.done():
                place.set_exception(Stop(self._stopped))
        self._waiting.clear()

    def _least_busy(self) -> Endpoint | None:
        free = [each for each in self.endpoints if each.free]
        return min(free, key=lambda each: (each.load, each.served)) if free else None

    def _serve(self) -> None:
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            found = self._least_busy()
            if found is None:
                return
            found.in_flight += 1
            self._waiting.popleft().set_result(found)

    def _strike(self, endpoint: Endpoint, result: Result) -> None:
        now = self._clock()
        endpoint.strikes += 1
        if endpoint.down_since is None:
            endpoint.down_since = now
        if result is not Result.UNREACHABLE and endpoint.strikes < _DEAD_AFTER and not endpoint.rests:
            return
        self._check_outage(now)
        if not endpoint.resting:
            endpoint.resting = True
            endpoint.rests += 1
            rest = min(
                _LONGEST_REST_S, _FIRST_REST_S * 2 ** (endpoint.rests - 1), max(0.05, self._outage_s / 4)
            )
            asyncio.get_running_loop().call_later(rest, self._back, endpoint)

    def _back(self, endpoint: Endpoint) -> None:
        endpoint.resting = False
        self._serve()

    def _check_outage(self, now: float) -> None:
        allowed = self._outage_s if self.answered else min(self._outage_s, _START_OUTAGE_S)
        since = [each.down_since for each in self.endpoints]
        if any(each is None or now - each < allowed for each in since):
            return
        troubles = "; ".join(f"{each.url}: {each.trouble}" for each in self.endpoints)
        self.stop(
            MissingInput(
                f"no answer for {allowed:g} seconds ({troubles})",
                hint="start the server or correct `endpoint`, then run again: nothing is sent twice",
            )
        )
