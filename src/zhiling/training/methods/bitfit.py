"""Only the biases of the encoder are tuned: a thousandth of its weights."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from zhiling.errors import UsageError
from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings


class BitFit(Method):
    """Biases move, matrices stay.

    Source: Ben Zaken, Ravfogel and Goldberg 2022, BitFit.
    """

    name: ClassVar[str] = "bitfit"

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Frees the biases.

        Raises:
            UsageError: the network has none.
        """
        network.requires_grad_(False)
        biases = [weight for name, weight in network.named_parameters() if name.endswith("bias")]
        if not biases:
            raise UsageError(
                f"a {type(network).__name__} has no biases to tune", hint="Use method: lora, or full."
            )
        for bias in biases:
            bias.requires_grad_(True)
        return network
