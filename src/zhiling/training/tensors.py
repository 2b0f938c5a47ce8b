"""Tensors as plain values, and how many threads compute them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch


def parted(tensor: torch.Tensor, sizes: Sequence[int], dim: int = 0) -> tuple[torch.Tensor, ...]:
    """Consecutive pieces of these sizes along a dimension."""
    return cast(Any, tensor).split(list(sizes), dim=dim)


def as_list(tensor: torch.Tensor) -> Any:
    """The numbers as nested lists, as deep as the tensor has dimensions."""
    return cast(Any, tensor).tolist()


@contextmanager
def one_thread() -> Generator[None]:
    """One thread, and the caller's number again afterwards: on busy cores several wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
