"""Where a network runs and in which numbers, probed rather than assumed."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from zhiling.errors import MissingInput, UsageError
from zhiling.llm.pretrained import require

if TYPE_CHECKING:
    import torch

Device = Literal["cpu", "cuda"]
Dtype = Literal["float32", "bfloat16"]

_SIDE = 512
_REPEATS = 5
_TOO_SLOW = 10


def placed(network: torch.nn.Module, device: Device, dtype: Dtype) -> torch.nn.Module:
    """The network on the device in this kind of numbers.

    Raises:
        MissingInput: no such device is usable here.
        UsageError: bfloat16 on a processor that computes with it ten times slower than with float32.
    """
    torch = require("torch")
    if device == "cuda" and not torch.cuda.is_available():
        raise MissingInput("device 'cuda': no usable GPU was found", hint="use device: cpu")
    if device == "cpu" and dtype == "bfloat16" and (times := bfloat16_slowdown()) > _TOO_SLOW:
        raise UsageError(
            f"dtype 'bfloat16': this processor needs {times:.0f} times as long with it as with float32",
            hint="use dtype: float32",
        )
    return network.to(device=device, dtype=getattr(torch, dtype))


@cache
def bfloat16_slowdown() -> float:
    """How many times longer a product of matrices takes the processor in bfloat16 than in float32."""
    torch = require("torch")
    return _shortest_s(torch, torch.bfloat16) / _shortest_s(torch, torch.float32)


def _shortest_s(torch: Any, dtype: Any) -> float:
    """The shortest of some products; the others were disturbed."""
    matrix = torch.ones((_SIDE, _SIDE), dtype=dtype)
    taken: list[float] = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        taken.append(time.perf_counter() - start)
    return min(taken)
