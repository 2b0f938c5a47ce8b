"""One label for a text or for a pair of texts, trained with cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from zhiling.rows.target import Labels
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import Input
from zhiling.training.objectives import cross_entropy, focal
from zhiling.training.reading.features import Prepared
from zhiling.training.tasks.targets import read_target
from zhiling.training.tasks.text_task import LabelTask


class Classification(LabelTask):
    """Topics, intents, sentiment; of pairs: paraphrase, inference, whether a reply fits."""

    name: ClassVar[str] = "classification"

    @classmethod
    def target(cls, document: str) -> str | None:
        """The (first) label."""
        found = read_target(document, Labels)
        return found.labels[0] if found and found.labels else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def truths(self, examples: Examples, prepared: Prepared) -> list[int]:
        """Label numbers."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        return [numbers[target] for target in examples.targets]

    def loss(self, outputs: torch.Tensor, truths: Sequence[int]) -> torch.Tensor:
        """The mean cross-entropy of (n, classes) logits, in nats; weighted or focal where asked for."""
        targets = torch.tensor(truths)
        if self.settings.focal:
            return focal(outputs, targets, self.settings.focal)
        weights = torch.tensor(self.weights) if self.weights else None
        return cross_entropy(outputs, targets, self.settings.label_smoothing, weights)

    def answers(self, outputs: torch.Tensor, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The most probable label and the softmax over all labels."""
        scores = cast(NDArray[np.float32], outputs.softmax(dim=1).numpy())
        best = scores.argmax(axis=1).tolist()
        return [
            Answer(self.labels[number], float(row[number]), row)
            for row, number in zip(scores, best, strict=True)
        ]
