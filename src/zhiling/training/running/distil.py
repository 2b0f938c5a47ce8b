"""Several models distilled into one: a student learns what its teachers, of as many seeds, hold likely.

Teachers of different seeds err in different places, and where they doubt a tag they say so: their mean is a
better truth than the tag alone, above all where the tag itself is wrong. What is saved is the student.

Source: Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network, section 2. Deviation:
temperature 1, and the teachers are models of the student's own kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from zhiling.training.reading.features import Prepared
from zhiling.training.running.precision import autocast
from zhiling.training.running.resume import Checkpoint
from zhiling.training.settings import TrainSettings
from zhiling.training.trained import Trained

SEEDS_APART = 1000
"""The teachers of seed s have the seeds 1000 (s + 1), 1000 (s + 1) + 1, …"""

Fit = Callable[[TrainSettings, int, Checkpoint | None], Trained]
"""(settings, seed, where its state is kept) → a model fitted to the student's own examples."""


@dataclass(frozen=True)
class Teachers:
    """The teachers of one student.

    Attributes:
        settings: of the student; the teachers differ in their seeds alone.
        seed: of the student.
        kept: where the student's state is kept. The teachers' states lie beside it, so that a training that
            was killed trains none of them again.
    """

    settings: TrainSettings
    seed: int
    kept: Checkpoint | None = None

    def beliefs(self, inputs: Prepared, fit: Fit) -> list[torch.Tensor]:
        """What the teachers hold likely of each example, as their mean; of each (items, classes).

        Args:
            inputs: what the models need of the training examples.
            fit: trains one teacher.
        """
        plain = self.settings.model_copy(update={"distil": 0, "context": 1})  # rows are joined already
        sums: list[torch.Tensor] = []
        for number in range(self.settings.distil):
            state = self.kept and Checkpoint(self._file(number), f"{self.kept.key} teacher {number}")
            teacher = fit(plain, SEEDS_APART * (self.seed + 1) + number, state)
            with autocast(self.settings.precision):
                told = teacher.model.beliefs(inputs, self.settings.batch_size)
            sums = [one + other for one, other in zip(sums, told, strict=True)] if sums else told
        return [each / self.settings.distil for each in sums]

    def _file(self, number: int) -> Path:
        """Where the state of a teacher is kept."""
        assert self.kept is not None
        return self.kept.file.with_suffix(f".teacher{number}{self.kept.file.suffix}")

    def forget(self) -> None:
        """Deletes the teachers' states: the student is trained."""
        for number in range(self.settings.distil if self.kept else 0):
            self._file(number).unlink(missing_ok=True)
