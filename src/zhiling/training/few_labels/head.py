"""A linear head on finished vectors: logistic regression that starts at the class prototypes."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from zhiling.encoders.semi_supervised.seeds import Seeds, Taught, Vectors
from zhiling.training.tensors import one_thread

TEMPERATURE = 0.05
"""The head starts as the cosine to each prototype, divided by it."""
DECAY = 1e-5
STEPS = 25
"""Of L-BFGS. With five seeds a label 50 steps gave the same accuracy, a decay of 1e-6 half a point less."""
SEED_WEIGHT = 3.0
"""What a seed counts beside a row without a label that is surely of its class."""


class Head(NamedTuple):
    """Logits are vectors @ weights.T + biases."""

    weights: NDArray[np.float32]
    """Shape (classes, width)."""
    biases: NDArray[np.float32]
    loss: float
    """What the training left of it, in nats."""

    def logits(self, vectors: Vectors) -> NDArray[np.float32]:
        """Shape (n, classes)."""
        return vectors @ self.weights.T + self.biases

    def answers(self, vectors: Vectors) -> NDArray[np.int64]:
        """The class of each row."""
        return self.logits(vectors).argmax(axis=1)


def fit_head(seeds: Seeds, vectors: Vectors, taught: Taught | None = None) -> Head:
    """The head that minimises the weighted cross-entropy on seeds, and on rows that a method taught.

    L = Σᵢ wᵢ Lᵢ / Σᵢ wᵢ + λ/2 ‖W‖².

    Args:
        seeds: the labelled vectors.
        vectors: of the rows without a label, shape (m, width).
        taught: what they are taken for; unset: they are not read.
    """
    rows, numbers = seeds.vectors, seeds.numbers
    counts = np.full(len(rows), SEED_WEIGHT, dtype=np.float32)
    if taught is not None:
        rows, numbers = np.concatenate([rows, vectors]), np.concatenate([numbers, taught.numbers])
        counts = np.concatenate([counts, taught.weights])
    kept = counts > 0
    inputs, truths, shares = (torch.as_tensor(each[kept]) for each in (rows, numbers, counts / counts.sum()))
    weights = torch.as_tensor(seeds.prototypes() / TEMPERATURE).requires_grad_()
    biases = torch.zeros(seeds.classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, biases], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logs = (inputs @ weights.T + biases).log_softmax(dim=1)
        told = logs.gather(1, truths.unsqueeze(1)).squeeze(1) @ shares
        loss = DECAY / 2 * weights.square().sum() - told
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        return loss

    with one_thread():  # two took 19 s of CPU time for a head of 150 classes, and one takes a few
        loss = cast(torch.Tensor, optimiser.step(closure))  # pyright: ignore[reportUnknownMemberType]
    return Head(weights.detach().numpy(), biases.detach().numpy(), float(loss.detach()))
