"""bf16 where the processor has it: asked by a trial, never assumed."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from zhiling.training.settings import Precision

FASTER = 1.3
"""bf16 is taken where matrices are multiplied at least this many times as fast: less is not worth it."""


def autocast(precision: Precision) -> AbstractContextManager[object]:
    """A context in which matrices are multiplied at this precision."""
    if precision == "bf16" or (precision == "auto" and bf16_is_faster()):
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


@cache
def bf16_is_faster() -> bool:
    """Whether this processor multiplies bf16 well: many do it by emulation, a hundred times slower."""
    first = torch.ones(256, 384)
    second = torch.ones(384, 384)
    return _seconds(first, second) > FASTER * _seconds(first.bfloat16(), second.bfloat16())


def _seconds(first: torch.Tensor, second: torch.Tensor) -> float:
    """The shortest of five products."""
    times: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        torch.mm(first, second)
        times.append(time.perf_counter() - started)
    return min(times)
