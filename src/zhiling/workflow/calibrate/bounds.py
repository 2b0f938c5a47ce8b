"""Exact bounds of a share from counts, and the threshold that they certify.

Source: Clopper and Pearson 1934 (exact binomial limits, one-sided here); Angelopoulos, Bates, Candès, Jordan
and Lei 2021, Learn then Test (fixed sequence testing controls the family-wise error).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60
"""Of the unit interval in the search for a limit: the error is far below what a double tells apart."""


@dataclass(frozen=True)
class Share:
    """`count` of `n`, with one-sided exact limits.

    Attributes:
        value: count / n; None of no rows.
        low: with the confidence asked for, the true share is at least this.
        high: with the same confidence, at most this.
    """

    count: int
    n: int
    value: float | None
    low: float
    high: float

    @classmethod
    def of(cls, count: int, n: int, confidence: float) -> Share:
        """The share of these counts."""
        value = count / n if n else None
        return cls(count, n, value, lower_limit(count, n, confidence), upper_limit(count, n, confidence))


def lower_limit(count: int, n: int, confidence: float) -> float:
    """The share p at which `count` or more of `n` would be seen with chance 1 - confidence; 0 of none.

    Anchor: 59 of 59 at .95 gives .9505 = .05 ** (1 / 59).
    """
    if count == 0:
        return 0.0
    low, high = 0.0, count / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if tail(count, n, middle) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def upper_limit(count: int, n: int, confidence: float) -> float:
    """The share at which `count` or fewer of `n` would be seen with chance 1 - confidence; 1 of no rows."""
    return 1.0 - lower_limit(n - count, n, confidence) if n else 1.0


def tail(count: int, n: int, share: float) -> float:
    """P(X ≥ count) of a binomial X(n, share). Anchors: 1 for count 0; share ** n for count n."""
    if count <= 0:
        return 1.0
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    seen = np.arange(count, n + 1)
    logs = _log_factorials(1 << n.bit_length())
    ways = logs[n] - logs[seen] - logs[n - seen]
    return min(1.0, float(np.exp(ways + seen * math.log(share) + (n - seen) * math.log1p(-share)).sum()))


@cache
def _log_factorials(size: int) -> NDArray[np.float64]:
    """Ln 0!, ln 1!, … of `size` numbers."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size)))])


def fewest(precision: float, confidence: float) -> int:
    """The fewest rows that could show this precision: all of them right. Anchor: 59 for .95 at .95."""
    return math.ceil(math.log1p(-confidence) / math.log(precision))


Counts = Sequence[tuple[int, int]]
"""Of each candidate, the strictest first: (bad rows acted upon, rows acted upon)."""


def beginning(chosen: Counts, confidence: float) -> int:
    """The candidate with the highest lower limit on the choosing half, the loosest of equals; 0 of none."""
    limits = [lower_limit(bad, acted, confidence) for bad, acted in chosen]
    return max(range(len(limits)), key=lambda place: (limits[place], place), default=0)


def certify(chosen: Counts, judged: Counts, precision: float, confidence: float) -> int | None:
    """The loosest candidate whose precision is shown on the judged part; None where none is.

    The other part alone says where to begin (see `beginning`). From there candidates are tested on the judged
    part in turn, looser and looser, each at the full level, until one fails. In that fixed order the chance
    that the result's true precision lies below the one asked for is at most 1 - confidence, however many
    candidates were tried.
    """
    start = beginning(chosen, confidence)
    found: int | None = None
    for place in range(start, len(judged)):
        bad, acted = judged[place]
        if tail(bad, acted, precision) > 1 - confidence:
            break
        found = place
    return found
