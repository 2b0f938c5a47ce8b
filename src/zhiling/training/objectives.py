"""What training makes small: losses as plain functions, each with formula, source and anchor values."""

from __future__ import annotations

import torch


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """The mean cross-entropy of a batch, in nats: a scalar, at least 0 without smoothing.

    L = −(1/N) Σᵢ Σₖ qᵢₖ ln pᵢₖ with p = softmax(logits) and qᵢₖ = (1−ε)·[k = yᵢ] + ε/K.
    Gradient in the logits: (p − q) / N.

    Anchors: ln K where all logits are equal; 0 where the true class has all probability and ε = 0.

    Args:
        logits: float, shape (N, K).
        targets: class numbers, int64, shape (N,).
        label_smoothing: ε in [0, 1).

    Source: Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision, section 7.
    """
    log_probabilities = logits.log_softmax(dim=1)
    true = log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1)
    uniform = log_probabilities.mean(dim=1)
    return -((1 - label_smoothing) * true + label_smoothing * uniform).mean()
