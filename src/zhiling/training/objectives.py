"""What training makes small: losses as plain functions, each with formula, source and anchor values."""

from __future__ import annotations

import torch


def cross_entropy(
    logits: torch.Tensor,
    targets: torch.Tensor,
    label_smoothing: float = 0.0,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """The mean cross-entropy of a batch, in nats: a scalar, at least 0 without smoothing.

    L = −(1/N) Σᵢ Σₖ qᵢₖ ln pᵢₖ with p = softmax(logits) and qᵢₖ = (1−ε)·[k = yᵢ] + ε/K.
    Gradient in the logits: (p − q) / N.

    Anchors: ln K where all logits are equal; 0 where the true class has all probability and ε = 0.

    Args:
        logits: float, shape (N, K).
        targets: class numbers, int64, shape (N,).
        label_smoothing: ε in [0, 1).
        weights: what an example of each class counts, shape (K,); their mean over a balanced batch is 1.

    Source: Szegedy et al. 2016, Rethinking the Inception Architecture for Computer Vision, section 7.
    """
    log_probabilities = logits.log_softmax(dim=1)
    true = log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1)
    if label_smoothing:  # else a class may be closed (a logit of −inf), which no smoothing survives
        true = (1 - label_smoothing) * true + label_smoothing * log_probabilities.mean(dim=1)
    return -(true if weights is None else true * weights[targets]).mean()


def soft_cross_entropy(logits: torch.Tensor, beliefs: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy to distributions instead of classes, in nats: a scalar.

    L = −(1/N) Σᵢ Σₖ qᵢₖ ln pᵢₖ with p = softmax(logits). Gradient in the logits: (p − q) / N.

    Anchors: ln K where all logits are equal; the entropy of q where p = q; the cross-entropy where each q has
    all its weight on one class.

    Args:
        logits: float, shape (N, K).
        beliefs: q, float, shape (N, K), rows sum to 1.

    Source: Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network, section 2.
    """
    return -(beliefs * logits.log_softmax(dim=1)).sum(dim=1).mean()


def binary_cross_entropy(probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean binary cross-entropy, in nats: a scalar, at least 0.

    L = −(1/N) Σ (yᵢ ln ŷᵢ + (1−yᵢ) ln (1−ŷᵢ)); each logarithm is at least −100.
    Gradient: ∂L/∂θ = −(1/N) Σ (yᵢ/ŷᵢ − (1−yᵢ)/(1−ŷᵢ)) ∂ŷᵢ/∂θ; through a sigmoid, (ŷ − y) / N in the logits.

    Anchors: ln 2 where every ŷ is 1/2; 0 where every ŷ is its y.

    Args:
        probabilities: ŷ in [0, 1], float, any shape.
        targets: y in [0, 1], float, of the same shape.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, equation 4.90.
    """
    return torch.nn.functional.binary_cross_entropy(probabilities, targets)


def mean_squared_error(values: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean squared error: a scalar, in squared units of the targets.

    L = (1/N) Σ (ŷᵢ − yᵢ)². Gradient in the values: 2 (ŷ − y) / N.

    Anchors: 0 where all are right; 1 where each is off by 1.

    Args:
        values: ŷ, float, any shape.
        targets: y, float, of the same shape.
    """
    return ((values - targets) ** 2).mean()


def negative_log_likelihood(log_probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean of −ln p of the true classes, in nats: a scalar.

    L = −(1/N) Σ ln p_{i, yᵢ}. Gradient in the log-probabilities: −1/N at the true class, else 0. Of a
    log-softmax it is the cross-entropy.

    Anchor: ln 4 where the true class has probability 1/4.

    Args:
        log_probabilities: float, shape (N, K).
        targets: class numbers, int64, shape (N,).
    """
    return -log_probabilities.gather(1, targets.unsqueeze(1)).mean()


def focal(logits: torch.Tensor, targets: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    """The mean focal loss, in nats: cross-entropy that counts easy examples less.

    L = −(1/N) Σ (1 − pᵢ)^γ ln pᵢ with p the probability of the true class.
    Gradient in pᵢ: (γ (1−pᵢ)^(γ−1) ln pᵢ − (1−pᵢ)^γ / pᵢ) / N.

    Anchors: the cross-entropy where γ = 0; (1/4) ln 2 where p = 1/2 and γ = 2.

    Args:
        logits: float, shape (N, K).
        targets: class numbers, int64, shape (N,).
        gamma: 0 or more.

    Source: Lin et al. 2017, Focal Loss for Dense Object Detection, equation 4.
    """
    logs = logits.log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    return -((1 - logs.exp()) ** gamma * logs).mean()


def any_of(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The mean of −ln p of the event that any right class is chosen, in nats: a scalar, at least 0.

    L = −(1/N) Σᵢ ln (Σₖ rᵢₖ exp zᵢₖ / Σₖ exp zᵢₖ). Gradient in the logits: (p − p·r / Σ p·r) / N. With one
    right class a row it is the cross-entropy; of similarities divided by a temperature, InfoNCE.

    Anchors: ln K where all K logits are equal and one class is right; 0 where all classes are right.

    Args:
        logits: z, float, shape (N, K); −inf for a class that is none of a row's.
        right: r, bool, shape (N, K), at least one in each row.

    Source: van den Oord et al. 2018, Representation Learning with Contrastive Predictive Coding, equation 4;
    Karpukhin et al. 2020, Dense Passage Retrieval, equation 2.
    """
    return (logits.logsumexp(dim=1) - logits.masked_fill(~right, float("-inf")).logsumexp(dim=1)).mean()


def supervised_contrastive(logits: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
    """The mean loss of a batch whose rows may have several right keys, in nats: a scalar, at least 0.

    L = −(1/N) Σᵢ (1/|Pᵢ|) Σ_{k ∈ Pᵢ} ln pᵢₖ with p = softmax(logits). Gradient in the logits:
    (p − r / |P|) / N. Unlike `any_of` it wants all right keys near, not one of them.

    Anchors: ln M where all M logits are equal; ln |P| where all probability is spread evenly over P; the
    cross-entropy where each row has one right key.

    Args:
        logits: similarities divided by a temperature, float, shape (N, M); −inf for a key that is none of a
            row's.
        positives: r, bool, shape (N, M), at least one in each row, all with a finite logit.

    Source: Khosla et al. 2020, Supervised Contrastive Learning, equation 2.
    """
    logs = logits.log_softmax(dim=1).masked_fill(~positives, 0.0)
    return -(logs.sum(dim=1) / positives.sum(dim=1)).mean()


def contrastive(queries: torch.Tensor, keys: torch.Tensor, temperature: float = 0.05) -> torch.Tensor:
    """The mean InfoNCE loss of a batch, in nats: each query must find its own key among all keys.

    L = −(1/N) Σᵢ ln (exp(qᵢ·kᵢ/τ) / Σⱼ exp(qᵢ·kⱼ/τ)). Gradient in the similarities: (p − 1[i = j]) / (N τ).

    Anchor: ln M where all similarities are equal, M keys.

    Args:
        queries: rows of length 1, float, shape (N, width).
        keys: rows of length 1, shape (M, width), M ≥ N; key i belongs to query i, further ones are negatives.
        temperature: τ above 0.

    Source: van den Oord et al. 2018, Representation Learning with Contrastive Predictive Coding, equation 4.
    """
    return cross_entropy(queries @ keys.T / temperature, torch.arange(len(queries)))
