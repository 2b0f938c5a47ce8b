"""Labels with an order (stars, levels): how many of the steps between them a text passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zhiling.errors import UsageError
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import Input
from zhiling.training.objectives import binary_cross_entropy
from zhiling.training.reading.features import Encoded, Prepared
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.classification import Classification
from zhiling.training.tasks.text_task import are_pairs
from zhiling.training.tensors import as_list


class StepsHead(nn.Module):
    """One direction for all steps and a bias for each, so that probabilities fall from step to step."""

    def __init__(self, width: int, steps: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.direction = nn.Linear(width, 1, bias=False)
        self.biases = nn.Parameter(torch.linspace(1, -1, steps))

    def forward(self, encoded: Encoded, prepared: Prepared) -> torch.Tensor:
        """The logit of passing each step: (batch, steps)."""
        return self.direction(self.dropout(encoded.text)) + self.biases


class Ordinal(Classification):
    """Order: of numbers by size; other labels need `order`.

    Source: Cao, Mirjalili and Raschka 2020, Rank Consistent Ordinal Regression (CORAL).
    """

    name: ClassVar[str] = "ordinal"

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The labels in their order.

        Raises:
            UsageError: labels that are no numbers, or are not in `order`.
        """
        found = super().learn(examples, settings)
        return cls(_ordered(found.labels, settings.order), settings, are_pairs(examples))

    def head(self, width: int) -> nn.Module:
        """A direction and a bias per step."""
        return StepsHead(width, len(self.labels) - 1, self.settings.dropout)

    def loss(self, outputs: torch.Tensor, truths: Sequence[int]) -> torch.Tensor:
        """The mean binary cross-entropy of the steps, in nats per step."""
        passed = torch.tensor(truths).unsqueeze(1) > torch.arange(outputs.shape[1])
        return binary_cross_entropy(outputs.sigmoid(), passed.float())

    def answers(self, outputs: torch.Tensor, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The label behind the last step that is more likely passed than not."""
        passed = outputs.sigmoid()
        edges = torch.cat([torch.ones(len(passed), 1), passed, torch.zeros(len(passed), 1)], dim=1)
        scores = cast(NDArray[np.float32], (edges[:, :-1] - edges[:, 1:]).clamp(min=0).numpy())
        best: list[int] = as_list((passed >= 0.5).sum(dim=1))
        return [
            Answer(self.labels[number], float(row[number]), row)
            for row, number in zip(scores, best, strict=True)
        ]


def _ordered(labels: Sequence[str], order: Sequence[str] | None) -> tuple[str, ...]:
    if order is not None:
        missing = sorted(set(labels) - set(order))
        if missing:
            raise UsageError(f"labels {missing!r} are not in train.order {list(order)!r}", hint="Add them.")
        return tuple(order)
    try:
        return tuple(sorted(labels, key=float))
    except ValueError as error:
        raise UsageError(
            f"labels {list(labels)!r:.200} are no numbers, so their order is not known",
            hint="Set train.order: [lowest, …, highest], or task: classification.",
        ) from error
