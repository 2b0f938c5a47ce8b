"""Layers are freed one after another, from the top: one more each epoch, the embeddings last."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from zhiling.training.methods.method import Method
from zhiling.training.methods.top_layers import layer_stack
from zhiling.training.settings import TrainSettings


class Gradual(Method):
    """In epoch k the top `layers` · k layers move; the whole encoder once that is all of them.

    Source: Howard and Ruder 2018, Universal Language Model Fine-tuning (ULMFiT), section 3.3.
    """

    name: ClassVar[str] = "gradual"

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Frees all weights, so that the optimiser knows them; `begin_epoch` freezes those that wait."""
        layer_stack(network)
        return network.requires_grad_(True)

    def begin_epoch(self, network: nn.Module, epoch: int, settings: TrainSettings) -> None:
        """Frees as many layers as the epoch allows."""
        stack = list(layer_stack(network))
        free = settings.layers * epoch
        network.requires_grad_(free >= len(stack))
        for layer in stack[-free:]:
            layer.requires_grad_(True)
