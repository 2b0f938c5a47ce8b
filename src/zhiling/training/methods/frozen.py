"""The encoder stays as it is: only what stands on it is trained. The quickest method."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings


class Frozen(Method):
    """No weight of the encoder moves."""

    name: ClassVar[str] = "frozen"
    tunes_encoder: ClassVar[bool] = False

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Freezes all weights."""
        return network.requires_grad_(False)
