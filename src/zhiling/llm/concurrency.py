"""How many requests an endpoint is given at once: found by trying, not set.

Slow start, then additive increase and multiplicative decrease on refusals (429, 503, timeouts).
Source: Chiu and Jain (1989), Analysis of the increase and decrease algorithms for congestion avoidance in
computer networks. Jacobson (1988), Congestion avoidance and control, for the slow start.
Deviation: a decrease that lost as much throughput as it took requests away is undone, and the share of
refusals that was seen is borne for a while: such refusals do not come of our load, and plain AIMD falls to
one request at a time for them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

START = 16
_DECREASE = 0.7
_TOLERATED = 0.02
"""Share of refusals that changes nothing."""
_LOST = 0.85
"""A decrease to 0.7 that leaves less than this share of the throughput did no good."""
_BEAR_WINDOWS = 20
"""For so many windows the refusals that a decrease did not lessen are borne."""
_LEAST_ANSWERS = 50


class AdaptiveLimit:
    """The current limit; told of each answer, it moves once a window of answers.

    Args:
        most: what it never passes.
        start: where it begins.
        clock: seconds, for tests.
    """

    def __init__(self, most: int, start: int = START, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.limit = most, float(min(start, most))
        self._clock = clock
        self._slow_start = True
        self._tolerated, self._bear = _TOLERATED, 0
        self._before: tuple[float, float] | None = None  # limit and throughput before the last decrease
        self._good = self._refused = 0
        self._opened = clock()

    def answered(self, in_flight: int) -> None:
        """A request was answered, while so many were in flight."""
        self._good += 1
        if self._slow_start and in_flight > self.limit / 2:
            self.limit = min(self.most, self.limit + 1)
        self._count(in_flight)

    def refused(self, in_flight: int) -> None:
        """A request was refused for load, or not answered in time."""
        self._refused += 1
        self._count(in_flight)

    def _count(self, in_flight: int) -> None:
        answers = self._good + self._refused
        if answers < max(_LEAST_ANSWERS, self.limit):
            return
        now = self._clock()
        throughput = self._good / max(now - self._opened, 1e-9)
        share = self._refused / answers
        if share > self._tolerated:
            self._decrease(throughput, share, answers)
        else:
            self._before = None
            if not self._slow_start and in_flight > self.limit / 2:
                self.limit = min(self.most, self.limit + max(1.0, self.most / 32))
        self._bear -= 1
        if self._bear == 0:
            self._tolerated = _TOLERATED
        self._good = self._refused = 0
        self._opened = now

    def _decrease(self, throughput: float, share: float, answers: int) -> None:
        if self._before is not None and throughput < _LOST * self._before[1]:
            self.limit, self._before = self._before[0], None
            self._tolerated = share + 3 * math.sqrt(share * (1 - share) / answers) + _TOLERATED
            self._bear, self._slow_start = _BEAR_WINDOWS, True
        else:
            self._before = (self.limit, throughput)
            self._slow_start = False
            self.limit = max(1.0, self.limit * _DECREASE)
