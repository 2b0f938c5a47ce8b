"""Torch in one thread with a seed of its own: equal weights, whatever else the machine does."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from zhiling.llm.pretrained import require


@contextmanager
def seeded_torch(seed: int) -> Generator[Any]:
    """Gives torch, in one thread and with its generator seeded; both as the caller had them afterwards.

    Raises:
        MissingExtra: torch is not installed.
    """
    torch = require("torch")
    from zhiling.training.tensors import one_thread

    with one_thread(), torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        yield torch
