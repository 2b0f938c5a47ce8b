"""Every weight of the encoder is tuned."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings


class Full(Method):
    """All weights of the encoder move."""

    name: ClassVar[str] = "full"

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Frees all weights."""
        return network.requires_grad_(True)
