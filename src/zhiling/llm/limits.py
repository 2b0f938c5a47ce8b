"""Hard limits of a run: what a call may cost at most is set aside before it is sent.

So money, calls and tokens never pass their limits, calls in flight included. A call that does not fit waits
for those in flight, as they mostly cost less than their most; when none is left to wait for, the run pauses.

What this does not cover: a server that writes more tokens than `max_tokens` allows, or bills by other prices
than the role's. Its calls are then counted at what it says, and nothing more is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from zhiling.errors import BudgetReached, TimeUp, ZhilingError
from zhiling.llm.role import PICO
from zhiling.llm.store import Spending


class Limits(BaseModel):
    """The most that one run may take, in all its attempts together; `minutes` counts from each start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: float | None = Field(default=None, ge=0, description="money, in US dollars")
    calls: int | None = Field(default=None, ge=0, description="model calls: answered, or perhaps so")
    tokens: int | None = Field(default=None, ge=0, description="tokens of prompts and replies")
    minutes: float | None = Field(default=None, gt=0, description="minutes, after which nothing is begun")

    def left(self, spent: Spending) -> float | None:
        """The share, 0 to 1, that is left of the scarcest of money, calls and tokens; None: none is limited.

        Anchor: 30 of 40 calls and 1 of 2 USD spent leave .25. Minutes are left out: they count anew from
        each start.
        """
        limited = ((self.usd, spent.pico / PICO), (self.calls, spent.calls), (self.tokens, spent.tokens))
        shares = [max(0.0, 1 - used / most) if most else 0.0 for most, used in limited if most is not None]
        return min(shares, default=None)


class Cost(NamedTuple):
    """Of one call: money in 1e-12 USD, and tokens."""

    pico: int
    prompt: int
    completion: int

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.prompt + self.completion


class Deadline:
    """When so many minutes are over, counted from when it was made (None: never).

    Args:
        minutes: as in `Limits`.
        clock: seconds, for tests.
    """

    def __init__(self, minutes: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._minutes, self._clock = minutes, clock
        self._end = None if minutes is None else clock() + 60 * minutes

    def check(self) -> None:
        """Nothing, until the minutes are over.

        Raises:
            TimeUp: they are.
        """
        if self._end is not None and self._clock() >= self._end:
            raise TimeUp(
                f"the budget's {self._minutes:g} minutes are over; everything finished is stored",
                hint="`zhiling run` goes on, with as many minutes again",
            )


class Meter:
    """Counts what was spent and what is set aside, against the limits.

    Args:
        limits: the most.
        spent: what earlier attempts at this run came to.
        deadline: when its minutes are over; unset: counted from now.
    """

    def __init__(
        self, limits: Limits, spent: Spending | None = None, deadline: Deadline | None = None
    ) -> None:
        self.limits = limits
        self._deadline = deadline or Deadline(limits.minutes)
        self._most = (
            None if limits.usd is None else int(limits.usd * PICO), limits.calls, limits.tokens
        )  # fmt: skip
        spent = spent or Spending()
        self._used = [spent.pico, spent.calls, spent.tokens]
        self._in_flight = 0
        self._stopped: ZhilingError | None = None
        self._waiting: deque[tuple[Cost, asyncio.Future[None]]] = deque()

    @property
    def usd(self) -> float:
        """Money spent and set aside, in US dollars."""
        return self._used[0] / PICO

    @property
    def calls(self) -> int:
        """Calls sent."""
        return self._used[1]

    @property
    def tokens(self) -> int:
        """Tokens spent and set aside."""
        return self._used[2]

    async def reserve(self, cost: Cost) -> None:
        """Sets aside the most that a call can cost; waits where calls in flight may leave room for it.

        Raises:
            BudgetReached: it fits into no limit, and nothing is left to wait for.
            ZhilingError: `stop` was called.
        """
        if self._stopped is not None:
            raise self._stopped
        self._deadline.check()
        if not self._waiting and self._passed(cost) is None:
            self._take(cost)
            return
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((cost, room))
        self._serve()
        try:
            await room
        except asyncio.CancelledError:
            self._give_up(cost, room)
            raise
        try:
            self._deadline.check()
        except BudgetReached:
            self._return(cost)
            raise

    def resume(self) -> None:
        """A call is on its way whose most was counted from the start: an earlier attempt sent it."""
        self._in_flight += 1

    def settle(self, reserved: Cost, actual: Cost) -> None:
        """Puts what a call did cost in the place of what was set aside for it."""
        self._used[0] += actual.pico - reserved.pico
        self._used[2] += actual.tokens - reserved.tokens
        self._in_flight -= 1
        self._serve()

    def free(self, reserved: Cost) -> None:
        """Nothing was done for a call: it does not count."""
        self._return(reserved)
        self._serve()

    def stop(self, error: ZhilingError) -> None:
        """Nothing is set aside any more; who waits for room waits for calls that may never be settled."""
        self._stopped = error
        for _, room in self._waiting:
            if not room.done():
                room.set_exception(error)
        self._waiting.clear()

    def _give_up(self, cost: Cost, room: asyncio.Future[None]) -> None:
        """A cancelled waiter leaves the queue, or gives back what it was just granted."""
        if room.done() and not room.cancelled() and room.exception() is None:
            self._return(cost)
        else:
            self._waiting = deque(each for each in self._waiting if each[1] is not room)
        self._serve()

    def _take(self, cost: Cost) -> None:
        for place, amount in enumerate((cost.pico, 1, cost.tokens)):
            self._used[place] += amount
        self._in_flight += 1

    def _return(self, cost: Cost) -> None:
        for place, amount in enumerate((cost.pico, 1, cost.tokens)):
            self._used[place] -= amount
        self._in_flight -= 1

    def _serve(self) -> None:
        while self._waiting:
            cost, room = self._waiting[0]
            passed = None if room.done() else self._passed(cost)
            if passed is not None and self._in_flight:
                return
            self._waiting.popleft()
            if room.done():
                continue
            if passed is None:
                self._take(cost)
                room.set_result(None)
            else:
                room.set_exception(passed)

    def _passed(self, cost: Cost) -> BudgetReached | None:
        """The limit that this call would pass, in words."""
        for place, (name, amount) in enumerate((("usd", cost.pico), ("calls", 1), ("tokens", cost.tokens))):
            most = self._most[place]
            if most is not None and self._used[place] + amount > most:
                return self._reached(name, self._used[place], amount, most)
        return None

    def _reached(self, name: str, used: int, amount: int, most: int) -> BudgetReached:
        scale = PICO if name == "usd" else 1
        unit = " USD" if name == "usd" else f" {name}"
        return BudgetReached(
            f"the limit of {most / scale:g}{unit} is reached: {used / scale:g} are spent,"
            f" the next call may take {amount / scale:g}",
            hint=_HINT,
        )


_HINT = "nothing is lost: raise the limit in `budget` and run again; what is stored is not paid for again"
