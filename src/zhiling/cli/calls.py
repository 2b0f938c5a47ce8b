"""How estimates of model calls are told on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zhiling.workflow.estimate import CallEstimate, Planned
    from zhiling.workflow.interval import Interval


def lines_of(planned: Planned) -> Iterator[str]:
    """A line a step and role, the sum of several, and the steps of which nothing is known yet."""
    for each in planned.steps:
        yield f"{each.step} asks {each.role}: {_told(each)} ({_basis(each)})"
    if len(planned.steps) > 1:
        total = planned.total()
        yield f"model calls together: {_count(total['calls'])} calls, {_usd(total['usd'])}"
    for step in planned.unknown:
        yield f"{step}: its calls depend on rows that earlier steps make; `zhiling preview {step}` shows some"


def _told(each: CallEstimate) -> str:
    parts = (
        f"{_count(each.calls)} calls", f"{_count(each.tokens)} tokens", _usd(each.usd), _time(each.seconds)
    )  # fmt: skip
    return ", ".join(parts)


def _basis(each: CallEstimate) -> str:
    if each.measured > 1:
        return f"from {each.measured} calls of a preview"
    return f"a guess; `zhiling preview {each.step}` measures"


def _count(interval: Interval) -> str:
    return f"about {_rounded(interval.likely)} ({_rounded(interval.low)} to {_rounded(interval.high)})"


def _rounded(value: float) -> str:
    """Three digits are more than an estimate knows."""
    digits = max(0, len(str(int(value))) - 3)
    return f"{round(value, -digits):,.0f}"


def _usd(interval: Interval) -> str:
    return f"{interval.likely:.2f} USD ({interval.low:.2f} to {interval.high:.2f})"


def _time(interval: Interval) -> str:
    return f"{_seconds(interval.low)} to {_seconds(interval.high)}"


def _seconds(value: float) -> str:
    return (
        f"{value:.0f} s"
        if value < 120
        else f"{value / 60:.0f} min"
        if value < 7200
        else f"{value / 3600:.1f} h"
    )
