"""How often each step was wrong on public truth: the committed measurements that its card shows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

NO_TRUTH = "no public truth here"


@dataclass(frozen=True)
class ErrorRate:
    """One measured share.

    Attributes:
        id: of the row in the committed results.
        what: what share it is.
        value: in [0, 1].
        low: lower end of its 95 % interval, where it has one.
        high: upper end.
        n: on how many rows.
        data: on which data.
        note: how to read it.
    """

    id: str
    what: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    data: str = ""
    note: str = ""

    def __str__(self) -> str:
        """`what: .0019 [.0013, .0028] of 13,641 rows (data); note`."""
        interval = f" [{self.low:.4g}, {self.high:.4g}]" if None not in (self.low, self.high) else ""
        rows = f" of {self.n:,}" if self.n else ""
        data = f" ({self.data})" if self.data else ""
        return f"{self.what}: {self.value:.4g}{interval}{rows}{data}" + (
            f"; {self.note}" if self.note else ""
        )


def error_rates(step: str) -> tuple[ErrorRate, ...]:
    """What was measured of a step; empty where there is no public truth to measure it on."""
    return tuple(_measured().get(step, ()))


@cache
def _measured() -> Mapping[str, Sequence[ErrorRate]]:
    content = (files("zhiling.workflow") / "error_rates.toml").read_text(encoding="utf-8")
    return {step: [ErrorRate(**rate) for rate in rates] for step, rates in tomllib.loads(content).items()}
