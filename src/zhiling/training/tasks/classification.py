"""One label per text: dropout and a linear layer, trained with cross-entropy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zhiling.errors import UsageError
from zhiling.training.examples import Examples, Predictions
from zhiling.training.objectives import cross_entropy
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Encoded, Task


class ClassificationHead(nn.Module):
    """Logits from the text's vector: (batch, width) → (batch, classes)."""

    def __init__(self, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, classes)

    def forward(self, encoded: Encoded) -> torch.Tensor:
        """One logit per class."""
        return self.linear(self.dropout(encoded.text))


@dataclass(frozen=True)
class Classification(Task):
    """Labels and their numbers; a label's number is its place in `labels`."""

    name: ClassVar[str] = "classification"

    labels: tuple[str, ...]
    dropout: float
    label_smoothing: float

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The labels that occur, sorted."""
        labels = tuple(sorted(set(examples.targets)))
        if len(labels) < 2:
            raise UsageError(
                f"the {len(examples)} training examples hold {len(labels)} label(s): {list(labels)!r}; "
                "a classifier needs at least two",
                hint="Check the label column of the sources, or add rows of another label.",
            )
        return cls(labels, settings.dropout, settings.label_smoothing)

    @classmethod
    def restore(cls, state: Mapping[str, object], settings: TrainSettings) -> Self:
        """The task with the labels of a saved model."""
        labels = state.get("labels")
        if not isinstance(labels, list) or not all(
            isinstance(label, str) for label in cast(list[object], labels)
        ):
            raise ValueError(f"labels must be a list of strings, got {labels!r}")
        return cls(tuple(cast(list[str], labels)), settings.dropout, settings.label_smoothing)

    def state(self) -> dict[str, object]:
        """The labels in the order of their numbers."""
        return {"labels": list(self.labels)}

    def head(self, width: int) -> nn.Module:
        """Dropout and one linear layer."""
        return ClassificationHead(width, len(self.labels), self.dropout)

    def unknown(self, targets: Sequence[str]) -> dict[str, int]:
        """Labels that no training example had, with how often each occurs."""
        known = set(self.labels)
        return dict(sorted(Counter(target for target in targets if target not in known).items()))

    def collate(self, targets: Sequence[str]) -> torch.Tensor:
        """Label numbers, int64, shape (n,)."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        return torch.tensor([numbers[target] for target in targets], dtype=torch.int64)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy of (n, classes) logits, in nats."""
        return cross_entropy(outputs, targets, self.label_smoothing)

    def decode(self, outputs: torch.Tensor) -> Predictions:
        """The most probable label and the softmax over all labels."""
        scores = cast(NDArray[np.float32], outputs.softmax(dim=1).numpy())
        return Predictions(
            tuple(self.labels[int(number)] for number in np.argmax(scores, axis=1)), scores, self.labels
        )
