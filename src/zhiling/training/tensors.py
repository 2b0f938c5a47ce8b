"""Tensors as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch


def parted(tensor: torch.Tensor, sizes: Sequence[int], dim: int = 0) -> tuple[torch.Tensor, ...]:
    """Consecutive pieces of these sizes along a dimension."""
    return cast(Any, tensor).split(list(sizes), dim=dim)


def as_list(tensor: torch.Tensor) -> Any:
    """The numbers as nested lists, as deep as the tensor has dimensions."""
    return cast(Any, tensor).tolist()
