"""Intervals of what cannot be known yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """From what is hardly possible to come in below, over the likely, to what is hardly passed."""

    low: float
    likely: float
    high: float

    @property
    def ends(self) -> tuple[float, float, float]:
        """Low, likely, high."""
        return self.low, self.likely, self.high

    def times(self, low: float, likely: float, high: float) -> Interval:
        """The product with another interval."""
        return Interval(self.low * low, self.likely * likely, self.high * high)

    def plus(self, other: Interval) -> Interval:
        """The sum; the ends come together, as for things that depend on each other."""
        return Interval(self.low + other.low, self.likely + other.likely, self.high + other.high)


NOTHING = Interval(0, 0, 0)

_DRIFT = 1.15
"""How far what comes later may lie beside the first ones that were measured."""
_SMALL = (math.inf, 12.706, 4.303, 3.182, 2.776)
_NORMAL = 1.959964


def mean_of(values: Sequence[float], count: float) -> Interval:
    """The mean of `count` further values, by those that were measured (two or more).

    Student's t for the chance in both, at 95 %, and some drift beside it. Of equal values only the drift is
    left: 10, 10 give 8.7 to 11.5.
    """
    number = len(values)
    mean = sum(values) / number
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (number - 1))
    reach = _student(number - 1) * spread * math.sqrt(1 / number + 1 / max(1.0, count))
    return Interval(max(0.0, mean - reach) / _DRIFT, mean, (mean + reach) * _DRIFT)


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t, to a hundredth: a table, then the expansion at the normal's point.

    Source: Cornish and Fisher (1937), Moments and cumulants in the specification of distributions.
    """
    if freedom < len(_SMALL):
        return _SMALL[freedom]
    z = _NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
