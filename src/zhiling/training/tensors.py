"""Tensors as plain values."""

from __future__ import annotations

from typing import Any, cast

import torch


def as_list(tensor: torch.Tensor) -> Any:
    """The numbers as nested lists, as deep as the tensor has dimensions."""
    return cast(Any, tensor).tolist()
