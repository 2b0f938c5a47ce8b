"""One label per text: dropout and a linear layer, trained with cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zhiling.rows.target import Labels
from zhiling.training.examples import Answer, Examples, Input
from zhiling.training.features import Encoded, Prepared, Segments
from zhiling.training.objectives import cross_entropy
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.labels import learn_labels, restore_labels, unknown_labels
from zhiling.training.tasks.targets import read_target
from zhiling.training.tasks.task import Task, whole_text


class LinearHead(nn.Module):
    """Numbers from the text's vector: (batch, width) → (batch, columns)."""

    def __init__(self, width: int, columns: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, columns)

    def forward(self, encoded: Encoded, prepared: Prepared) -> torch.Tensor:  # noqa: ARG002 - as every head
        """One number per column."""
        return self.linear(self.dropout(encoded.text))


@dataclass(frozen=True)
class Classification(Task):
    """Labels and their numbers; a label's number is its place in `labels`."""

    name: ClassVar[str] = "classification"

    labels: tuple[str, ...]
    settings: TrainSettings

    @classmethod
    def target(cls, document: str) -> str | None:
        """The (first) label."""
        found = read_target(document, Labels)
        return found.labels[0] if found and found.labels else None

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The labels that occur, sorted."""
        return cls(learn_labels(examples.targets, len(examples)), settings)

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task with the labels of a saved model."""
        return cls(restore_labels(state), settings)

    def state(self) -> dict[str, object]:
        """The labels in the order of their numbers."""
        return {"labels": list(self.labels)}

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Labels that no training example had."""
        return unknown_labels(examples.targets, self.labels)

    def segments(self, turns: Input) -> list[Segments]:
        """The whole input as one text."""
        return whole_text(turns)

    def head(self, width: int) -> nn.Module:
        """Dropout and one linear layer."""
        return LinearHead(width, len(self.labels), self.settings.dropout)

    def truths(self, examples: Examples, prepared: Prepared) -> list[int]:
        """Label numbers."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        return [numbers[target] for target in examples.targets]

    def loss(self, outputs: torch.Tensor, truths: Sequence[int]) -> torch.Tensor:
        """The mean cross-entropy of (n, classes) logits, in nats."""
        return cross_entropy(outputs, torch.tensor(truths), self.settings.label_smoothing)

    def answers(self, outputs: torch.Tensor, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The most probable label and the softmax over all labels."""
        scores = cast(NDArray[np.float32], outputs.softmax(dim=1).numpy())
        best = scores.argmax(axis=1).tolist()
        return [Answer(self.labels[number], float(row[number]), row) for row, number in zip(scores, best, strict=True)]
