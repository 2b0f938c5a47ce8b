"""Attention in fp32 inside a bf16 model, where a trial finds that faster on this processor.

Products with weights gain from bf16; torch's fused attention may not. On an AMD EPYC with native bf16, its
two passes over 24 texts of 32 tokens took 21 ms in bf16 and 5 in fp32, over 9 texts of 128 tokens 42 and 16.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, cast

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import masking_utils, modeling_utils
from transformers.integrations import sdpa_attention

NAME = "sdpa_in_fp32"
TRIAL = (8, 4, 64, 32)
"""Texts, heads, tokens and columns of the trial."""


def attend_in_fp32(
    module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any, **more: Any
) -> tuple[torch.Tensor, None]:
    """What torch's fused attention gives, computed in fp32 and told in the kind of numbers that came."""
    with torch.autocast("cpu", enabled=False):
        parts = (query.float(), key.float(), value.float())
        told, _ = cast(Any, sdpa_attention).sdpa_attention_forward(module, *parts, *rest, **more)
    return told.to(query.dtype), None


def use_faster_attention(network: nn.Module) -> None:
    """Lets a network that is to be run in bf16 attend in fp32, where that is faster and it can."""
    config = getattr(network, "config", None)
    if getattr(config, "_attn_implementation", None) == "sdpa" and fp32_is_faster():
        masks = cast(Any, masking_utils)
        cast(Any, modeling_utils).AttentionInterface.register(NAME, attend_in_fp32)
        masks.AttentionMaskInterface.register(NAME, masks.sdpa_mask)
        cast(Any, network).set_attn_implementation(NAME)


@cache
def fp32_is_faster() -> bool:
    """Whether forward and backward of attention take less time in fp32 than in bf16 on this processor."""
    return _seconds(torch.float32) < _seconds(torch.bfloat16)


def _seconds(kind: torch.dtype) -> float:
    """The shortest of three passes."""
    times: list[float] = []
    for _ in range(3):
        query, key, value = (torch.ones(TRIAL, dtype=kind, requires_grad=True) for _ in range(3))
        started = time.perf_counter()
        scaled_dot_product_attention(query, key, value).sum().backward()  # pyright: ignore[reportUnknownMemberType]
        times.append(time.perf_counter() - started)
    return min(times)
