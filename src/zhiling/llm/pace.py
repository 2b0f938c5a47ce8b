"""When the next request may be sent: requests and tokens a minute, and waits between tries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIRST_S, _LONGEST_S = 0.5, 60.0
_LOOK_AGAIN_S = 0.5


class Pace:
    """Evenly spaced requests: 60 seconds hold at most `rpm` of them, and `tpm` tokens before the last one.

    Time that nobody used is not saved up: a burst is what servers refuse. Tokens are those that a request may
    take at most, until `correct` tells how many it did take.
    """

    def __init__(
        self, rpm: int | None = None, tpm: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._request_s = 60 / rpm if rpm else 0.0
        self._token_s = 60 / tpm if tpm else 0.0
        self._clock = clock
        self._next_request = self._next_token = clock()
        self._turn = asyncio.Lock()

    async def keep(self, tokens: int, pause: Callable[[float], Awaitable[None]]) -> None:
        """Waits for its turn, first come first served, and takes it."""
        if not (self._request_s or self._token_s):
            return
        async with self._turn:
            while (wait := self.wait_s()) > 0:
                await pause(min(wait, _LOOK_AGAIN_S))  # meanwhile an answer may give tokens back
            self.take(tokens)

    def wait_s(self) -> float:
        """How many seconds the next request has to wait."""
        return max(0.0, max(self._next_request, self._next_token) - self._clock())

    def take(self, tokens: int) -> None:
        """A request of so many tokens is sent now."""
        now = self._clock()
        self._next_request = now + self._request_s
        self._next_token = max(now, self._next_token) + tokens * self._token_s

    def correct(self, reserved: int, taken: int) -> None:
        """Gives back the tokens that a request was expected to take and did not."""
        self._next_token -= (reserved - taken) * self._token_s


class Backoff:
    """Waits between tries: doubling, with full jitter, or what the server asks for.

    Source: Brooker (2015), Exponential backoff and jitter.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)

    def wait_s(self, tried: int, asked_for: float | None = None) -> float:
        """Seconds to wait after so many failed tries (from 1); a little more than a server asks for."""
        if asked_for is not None:
            return asked_for + self._random.uniform(0, min(1.0, 0.05 * asked_for))
        return self._random.uniform(0.0, min(_LONGEST_S, _FIRST_S * 2 ** min(tried, 10)))


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """What `Retry-After` asks for, in seconds (a number or a date); None where it is neither."""
    milliseconds = _number(headers.get("Retry-After-Ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
