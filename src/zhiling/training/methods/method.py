"""What every method decides: whether the encoder is tuned, and which of its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from zhiling.training.settings import TrainSettings


class Method(ABC):
    """A way to tune an encoder."""

    name: ClassVar[str]
    tunes_encoder: ClassVar[bool]
    """False: the encoder's vectors never change, so they are computed once and kept."""

    @abstractmethod
    def choose(self, network: nn.Module, settings: TrainSettings) -> None:
        """Sets `requires_grad` on the network's weights that are tuned, and clears it on all others."""
