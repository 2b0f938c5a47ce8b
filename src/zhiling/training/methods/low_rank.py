"""LoRA and DoRA: a product of two narrow matrices beside each projection of the attention, by PEFT."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

from torch import nn

from zhiling.errors import UsageError
from zhiling.llm.pretrained import require
from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings


class Lora(Method):
    """W + (2r / r) B A with rank `rank`; merged into W when saved.

    Source: Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models.
    """

    name: ClassVar[str] = "lora"
    weight_decomposed: ClassVar[bool] = False

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """Adapters at all linear layers; they alone are tuned.

        Raises:
            UsageError: the network has no linear layer.
        """
        config = require("peft").LoraConfig(
            r=settings.rank, lora_alpha=2 * settings.rank, use_dora=self.weight_decomposed,
            target_modules="all-linear", exclude_modules=r".*pooler.*",
        )  # fmt: skip
        return adapted(network, config)

    def plain(self, network: nn.Module) -> nn.Module:
        """The adapters merged into the weights."""
        return cast(Any, network).merge_and_unload()


class Dora(Lora):
    """LoRA on the direction of each column of W, with its length tuned beside it.

    Source: Liu et al. 2024, DoRA: Weight-Decomposed Low-Rank Adaptation.
    """

    name: ClassVar[str] = "dora"
    weight_decomposed: ClassVar[bool] = True


def adapted(network: nn.Module, config: Any) -> nn.Module:
    """The network with PEFT's adapters.

    Raises:
        UsageError: PEFT finds no place for them.
    """
    peft = require("peft")
    try:
        with _quiet():
            return peft.get_peft_model(network, config)
    except ValueError as error:
        raise UsageError(
            f"PEFT cannot adapt a {type(network).__name__}: {error}", hint="Use method: full or top_layers."
        ) from error


def with_saved_adapter(network: nn.Module, folder: Path) -> nn.Module:
    """The network with the adapter that PEFT wrote to a folder.

    Raises:
        ValueError: the folder holds none that fits.
    """
    peft = require("peft")
    with _quiet():
        return peft.PeftModel.from_pretrained(network, folder)


@contextmanager
def _quiet() -> Generator[None]:
    """Without the warnings of names that PEFT asks transformers for and that it is about to drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
