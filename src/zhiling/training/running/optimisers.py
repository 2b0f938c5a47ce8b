"""How weights move: torch's optimisers, decay kept off biases and norms, a rate that warms up and falls."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import torch
from torch import nn

from zhiling.training.settings import OPTIMISERS, Schedule, TrainSettings


def build_optimiser(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser over all weights of the model that are to be tuned.

    Weights under a module named `network` (the encoder) move at `encoder_learning_rate`, times `layer_decay`
    for every layer above them. Biases and the weights of norms have one dimension: they get no decay.

    With SGD one step is θ ← θ − η∇L − ηλθ. AdamW puts the decay beside its own step in the same way.

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2.
    """
    layers = 1 + max((_layer(name) for name, _ in model.named_parameters()), default=-1)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            rate = settings.learning_rate
            if "network." in name:
                rate = settings.encoder_learning_rate * settings.layer_decay ** _depth(name, layers)
            decay = settings.weight_decay if weight.dim() > 1 else 0.0
            groups.setdefault((rate, decay), []).append(weight)
    parameters = [
        {"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay), weights in groups.items()
    ]
    chosen: Any = getattr(torch.optim, OPTIMISERS[settings.optimiser])
    fused = {"fused": True} if "fused" in inspect.signature(chosen).parameters else {}
    return chosen(parameters, **fused)


def _layer(name: str) -> int:
    """The number of the encoder's layer that a weight belongs to, from below; −1 for none."""
    found = re.search(r"network\..*?layers?\.(\d+)\.", name)
    return int(found[1]) if found else -1


def _depth(name: str, layers: int) -> int:
    """How many layers stand above a weight of the encoder; the embeddings stand below all."""
    if _layer(name) >= 0:
        return layers - 1 - _layer(name)
    return layers if "embed" in name else 0


def build_schedule(
    optimiser: torch.optim.Optimizer, steps: int, *, warmup: float, schedule: Schedule = "linear"
) -> torch.optim.lr_scheduler.LambdaLR:
    """A factor on all learning rates: linear from 0 to 1 in the warm-up, then as `schedule` says.

    `linear` falls to 0 at the last step, `cosine` along half a wave, `constant` stays at 1.

    Args:
        optimiser: whose rates are scaled.
        steps: all steps of the training, at least 1.
        warmup: share of the steps in which the rates rise.
        schedule: how they go on after that.
    """
    rising = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        left = max(0.0, (steps - step) / max(1, steps - rising))
        if schedule == "cosine":
            return (1 - math.cos(math.pi * left)) / 2
        return left if schedule == "linear" else 1.0

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
