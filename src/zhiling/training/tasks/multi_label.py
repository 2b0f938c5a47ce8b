"""Any number of labels for a text: a yes or no per label, trained with binary cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from zhiling.rows.target import Labels, spelled
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import Input
from zhiling.training.objectives import binary_cross_entropy
from zhiling.training.reading.features import Prepared
from zhiling.training.tasks.targets import must_read, read_target
from zhiling.training.tasks.text_task import LabelTask

YES = 0.5
"""A label whose probability reaches this is one of the answer's."""


class MultiLabel(LabelTask):
    """Targets are `{"labels": […]}` with the labels sorted; none is a truth too."""

    name: ClassVar[str] = "multi_label"

    @classmethod
    def target(cls, document: str) -> str | None:
        """The labels, sorted."""
        found = read_target(document, Labels)
        return None if found is None else spelled(Labels(labels=sorted(set(found.labels))))

    @classmethod
    def labels_in(cls, target: str) -> Sequence[str]:
        """All labels of one target."""
        return must_read(target, Labels).labels

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def truths(self, examples: Examples, prepared: Prepared) -> list[list[float]]:
        """1 for each label of a target, else 0."""
        found: list[list[float]] = []
        for target in examples.targets:
            present = set(self.labels_in(target))
            found.append([float(label in present) for label in self.labels])
        return found

    def loss(self, outputs: torch.Tensor, truths: Sequence[list[float]]) -> torch.Tensor:
        """The mean binary cross-entropy of (n, labels) logits, in nats per label."""
        return binary_cross_entropy(outputs.sigmoid(), torch.tensor(truths))

    def answers(self, outputs: torch.Tensor, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The labels that are more likely than not; as sure as the least sure yes or no."""
        scores = cast(NDArray[np.float32], outputs.sigmoid().numpy())
        found: list[Answer] = []
        for row in scores:
            labels = [label for label, score in zip(self.labels, row, strict=True) if score >= YES]
            sure = float(np.maximum(row, 1 - row).min())
            found.append(Answer(spelled(Labels(labels=labels)), sure, row))
        return found
