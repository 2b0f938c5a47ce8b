"""A number for a text or for a pair of texts, trained with the mean squared error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch

from zhiling.errors import UsageError
from zhiling.rows.target import Score
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import Input
from zhiling.training.objectives import mean_squared_error
from zhiling.training.reading.features import Prepared
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.targets import read_target
from zhiling.training.tasks.text_task import TextTask, are_pairs
from zhiling.training.tensors import as_list


@dataclass(frozen=True)
class Regression(TextTask):
    """Targets are numbers. Inside they are scaled to mean 0 and deviation 1 of the training targets."""

    name: ClassVar[str] = "regression"
    columns: ClassVar[int | None] = 1

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def target(cls, document: str) -> str | None:
        """The number, as Python spells it."""
        found = read_target(document, Score)
        return repr(found.score) if found else None

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """Mean and deviation of the targets.

        Raises:
            UsageError: all targets are equal.
        """
        values = torch.tensor([float(target) for target in examples.targets], dtype=torch.float64)
        deviation = float(values.std(correction=0))
        if not deviation:
            raise UsageError(
                f"all {len(examples)} training targets are {float(values[0])!r}: there is nothing to learn",
                hint="Check the score column of the sources.",
            )
        return cls((), settings, are_pairs(examples), mean=float(values.mean()), deviation=deviation)

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task with the scale of a saved model."""
        mean, deviation = float(state["mean"]), float(state["deviation"])
        return cls((), settings, bool(state["pairs"]), mean=mean, deviation=deviation)

    def state(self) -> dict[str, object]:
        """The scale, and whether texts are pairs."""
        return {"mean": self.mean, "deviation": self.deviation, "pairs": self.pairs}

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Nothing: every number can be predicted."""
        return {}

    def truths(self, examples: Examples, prepared: Prepared) -> list[float]:
        """Scaled numbers."""
        return [(float(target) - self.mean) / self.deviation for target in examples.targets]

    def loss(self, outputs: torch.Tensor, truths: Sequence[float]) -> torch.Tensor:
        """The mean squared error, in squared deviations of the training targets."""
        return mean_squared_error(outputs.squeeze(1), torch.tensor(truths))

    def answers(self, outputs: torch.Tensor, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The number; how sure it is, the head does not say (1)."""
        values: list[float] = as_list(outputs.squeeze(1).double() * self.deviation + self.mean)
        return [Answer(repr(round(value, 6)), 1.0) for value in values]
