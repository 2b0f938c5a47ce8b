"""What every method decides: whether the encoder is tuned, and which of its weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from zhiling.training.settings import TrainSettings


class Method(ABC):
    """A way to tune an encoder."""

    name: ClassVar[str]
    tunes_encoder: ClassVar[bool] = True
    """False: the encoder's vectors never change, so they are computed once and kept."""
    reads_pairs: ClassVar[bool] = True
    """Whether a pair's two texts stay apart under this method."""
    merges: ClassVar[bool] = True
    """Whether the tuned encoder can be saved as a plain one."""

    @abstractmethod
    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """The network to be run, with `requires_grad` set on the weights that are tuned and on no other.

        Raises:
            UsageError: the network has not what the method tunes.
        """

    def begin_epoch(  # noqa: B027 - most methods have nothing to do here
        self, network: nn.Module, epoch: int, settings: TrainSettings
    ) -> None:
        """Called before each epoch, counted from 1."""

    def plain(self, network: nn.Module) -> nn.Module:
        """The network as any program can run it; what the method added is merged into its weights."""
        return network
