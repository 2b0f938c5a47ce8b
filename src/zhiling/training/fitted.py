"""What `train` and `load` give, whether weights were tuned or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from zhiling.training.examples import EpochRecord, Examples, Predictions
from zhiling.training.inputs import Input
from zhiling.training.settings import TrainSettings


class Fitted(Protocol):
    """A model of a task: `Trained` with tuned weights, `Prompted` without any."""

    @property
    def settings(self) -> TrainSettings:
        """What it was made by."""
        ...

    @property
    def history(self) -> tuple[EpochRecord, ...]:
        """The record of each epoch; empty where nothing was tuned."""
        ...

    @property
    def unseen(self) -> Mapping[str, int]:
        """What the dev examples hold that it can never answer, with counts."""
        ...

    @property
    def choice(self) -> Mapping[str, object]:
        """With `few_labels`: what was chosen and why; else empty."""
        ...

    @property
    def dev_score(self) -> float:
        """Its score on the dev examples; NaN where there were none."""
        ...

    def predict(self, inputs: Sequence[Input | str], batch_size: int = 64) -> Predictions:
        """The answers to any number of inputs, in their order."""
        ...

    def answer(self, examples: Examples, batch_size: int = 64) -> Predictions:
        """The answers to examples, in their order."""
        ...

    def save(
        self,
        folder: Path,
        metrics: Mapping[str, object] | None = None,
        origin: Mapping[str, object] | None = None,
    ) -> None:
        """Writes it to a folder, whole or not at all."""
        ...
