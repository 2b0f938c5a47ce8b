"""The encoder's top layers are tuned; the layers below and the embeddings stay as they are."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from zhiling.errors import UsageError
from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings


class TopLayers(Method):
    """The last `layers` transformer layers move."""

    name: ClassVar[str] = "top_layers"

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Frees the last layers, freezes the rest.

        Raises:
            UsageError: the network has fewer layers than `layers`, or none that can be found.
        """
        stack = layer_stack(network)
        if settings.layers > len(stack):
            raise UsageError(
                f"layers={settings.layers} is more than the encoder has ({len(stack)})",
                hint=f"Set layers to at most {len(stack)}, or method: full to tune the embeddings too.",
            )
        network.requires_grad_(False)
        for layer in list(stack)[-settings.layers :]:
            layer.requires_grad_(True)
        return network


def layer_stack(network: nn.Module) -> nn.ModuleList:
    """The network's transformer layers, bottom to top: its longest list of modules.

    Raises:
        UsageError: it has no list of modules.
    """
    stacks = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise UsageError(
            f"no layers can be told apart in a {type(network).__name__}", hint="Use method: full or frozen."
        )
    return max(stacks, key=len)
