"""IA³: keys, values and the feed-forward's inside scaled by learnt vectors, by PEFT."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from torch import nn

from zhiling.llm.pretrained import require
from zhiling.training.methods.low_rank import adapted
from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings


class Ia3(Method):
    """Three vectors a layer; merged into the weights when saved.

    Source: Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
    Learning.
    """

    name: ClassVar[str] = "ia3"

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Scales where PEFT knows the network, else at all layers whose names say key, value or output.

        Raises:
            UsageError: the network has no such layers.
        """
        peft = require("peft")
        if (
            getattr(cast(Any, network).config, "model_type", None)
            in peft.utils.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING
        ):
            return adapted(network, peft.IA3Config())
        modules = dict(cast(Any, network).named_modules())
        wide = [str(name) for name, module in modules.items() if _is_wide(module)]
        config = peft.IA3Config(target_modules=["key", "value", *wide], feedforward_modules=wide)
        return adapted(network, config)

    def plain(self, network: nn.Module) -> nn.Module:
        """The scales merged into the weights."""
        return cast(Any, network).merge_and_unload()


def _is_wide(module: nn.Module) -> bool:
    """Whether a layer leads out of the feed-forward network: more columns in than out."""
    return isinstance(module, nn.Linear) and module.in_features > module.out_features
