"""A fitted model: predicts, and saves itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from zhiling.training.examples import EpochRecord, Predictions
from zhiling.training.model import TaskModel
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Task

TEXTS_PER_CHUNK = 8192
"""Predicted at once, so that memory does not grow with the number of texts."""


@dataclass(frozen=True)
class Trained:
    """A model with all that says where it comes from."""

    settings: TrainSettings
    task: Task
    model: TaskModel
    seed: int
    history: tuple[EpochRecord, ...]
    unseen: Mapping[str, int] = field(default_factory=dict[str, int])
    """Dev targets that no training example had, with their counts: the model is wrong on each of them."""

    def predict(self, texts: Sequence[str], batch_size: int = 64) -> Predictions:
        """The answers for any number of texts, in their order."""
        chunks = [texts[start : start + TEXTS_PER_CHUNK] for start in range(0, len(texts), TEXTS_PER_CHUNK)]
        outputs = [self.model.outputs(self.model.prepare(chunk), batch_size) for chunk in chunks]
        if not outputs:
            outputs = [self.model.outputs(self.model.prepare([" "]), batch_size)[:0]]
        return self.task.decode(torch.cat(outputs))

    @property
    def dev_score(self) -> float:
        """The dev score of the epoch whose weights the model has."""
        return max(record.dev_score for record in self.history)

    def save(self, folder: Path, metrics: Mapping[str, object] | None = None) -> None:
        """Writes the model to a folder, whole or not at all; a model that lay there is replaced.

        Args:
            folder: is made, with its parents.
            metrics: JSON values to keep beside the weights.

        Raises:
            OSError: the folder cannot be written.
        """
        from zhiling.training.checkpoints import write

        write(self, folder, metrics or {})
