"""Prefix, prompt and p-tuning: learnt vectors before the text, by PEFT; the encoder itself stays.

Pairs are refused: PEFT drops the token types under these methods, so that the two texts of a pair would
run together without a word. What is learnt cannot be merged: it is saved beside the encoder.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from zhiling.llm.pretrained import require
from zhiling.training.methods.low_rank import adapted
from zhiling.training.methods.method import Method
from zhiling.training.settings import TrainSettings

_KIND = "FEATURE_EXTRACTION"


class _SoftPrompts(Method):
    reads_pairs: ClassVar[bool] = False
    merges: ClassVar[bool] = False
    config: ClassVar[str]

    def apply(self, network: nn.Module, settings: TrainSettings) -> nn.Module:
        """`virtual_tokens` vectors; they alone are tuned."""
        return adapted(network, getattr(require("peft"), self.config)(**self.options(settings)))

    def options(self, settings: TrainSettings) -> dict[str, Any]:
        """What PEFT is told."""
        return {"task_type": _KIND, "num_virtual_tokens": settings.virtual_tokens}


class PromptTuning(_SoftPrompts):
    """Vectors in front of the embeddings.

    Source: Lester, Al-Rfou and Constant 2021, The Power of Scale for Parameter-Efficient Prompt Tuning.
    """

    name: ClassVar[str] = "prompt"
    config: ClassVar[str] = "PromptTuningConfig"


class PTuning(_SoftPrompts):
    """Vectors in front of the embeddings that a small network writes.

    Source: Liu et al. 2021, GPT Understands, Too.
    """

    name: ClassVar[str] = "p_tuning"
    config: ClassVar[str] = "PromptEncoderConfig"

    def options(self, settings: TrainSettings) -> dict[str, Any]:
        """The width of the small network as well."""
        return super().options(settings) | {"encoder_hidden_size": 128}


class Prefix(_SoftPrompts):
    """Keys and values in front of those of every layer.

    Source: Li and Liang 2021, Prefix-Tuning: Optimizing Continuous Prompts for Generation.
    """

    name: ClassVar[str] = "prefix"
    config: ClassVar[str] = "PrefixTuningConfig"
