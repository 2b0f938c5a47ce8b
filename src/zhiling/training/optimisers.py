"""How weights move: AdamW or SGD, decay kept off biases and norms, a rate that warms up and falls."""

from __future__ import annotations

import torch
from torch import nn

from zhiling.training.settings import TrainSettings


def build_optimiser(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser over all weights of the model that are to be tuned.

    Weights under a module named `network` (the encoder) move at `encoder_learning_rate`. Biases and the
    weights of norms have one dimension: they get no decay.

    With SGD one step is θ ← θ − η∇L − ηλθ. AdamW puts the decay beside its own step in the same way.

    Source: Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            rate = settings.encoder_learning_rate if "network." in name else settings.learning_rate
            decay = settings.weight_decay if weight.dim() > 1 else 0.0
            groups.setdefault((rate, decay), []).append(weight)
    parameters = [
        {"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay), weights in groups.items()
    ]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters)
    return torch.optim.AdamW(parameters, fused=True)


def build_schedule(
    optimiser: torch.optim.Optimizer, steps: int, warmup: float
) -> torch.optim.lr_scheduler.LambdaLR:
    """A factor on all learning rates: linear from 0 to 1 in the warm-up, then linear to 0 at the last step.

    Args:
        optimiser: whose rates are scaled.
        steps: all steps of the training, at least 1.
        warmup: share of the steps that warm up.
    """
    rising = max(1, round(steps * warmup))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / max(1, steps - rising))

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
