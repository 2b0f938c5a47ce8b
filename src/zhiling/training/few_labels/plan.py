"""One way to learn from few labels, and what it needs: vectors, and heads on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zhiling.encoders.semi_supervised import propagation
from zhiling.encoders.semi_supervised.seeds import Seeds, Taught, Vectors, unit
from zhiling.training.examples import Examples
from zhiling.training.few_labels import mixture, self_training
from zhiling.training.few_labels.contrastive import tune
from zhiling.training.few_labels.head import Head, fit_head
from zhiling.training.fit import build_encoder_part
from zhiling.training.inputs import Input
from zhiling.training.model import TaskModel
from zhiling.training.reading.features import JoinedFeatures
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.classification import Classification

WAYS: dict[str, Callable[[Seeds, Vectors], Taught]] = {
    "self_training": self_training.teach,
    "propagation": propagation.teach,
    "mixture": mixture.teach,
}
"""What rows without a label are taken for."""


class Plan(NamedTuple):
    """What is done beside fitting a head to the seeds."""

    contrastive: bool = False
    names: bool = False
    unlabelled: str = "none"

    @property
    def title(self) -> str:
        """The plan in words, such as `names + propagation`."""
        parts = ["contrastive"] * self.contrastive + ["names"] * self.names
        return " + ".join([*parts, *[self.unlabelled] * (self.unlabelled != "none")]) or "seeds only"


@dataclass(frozen=True)
class Learner:
    """Fits heads by plans.

    Attributes:
        settings: of the training.
        task: with all labels.
        names: the labels' names, as examples.
        unlabelled: inputs without a label.
    """

    settings: TrainSettings
    task: Classification
    names: Examples
    unlabelled: tuple[Input, ...]

    def settings_of(self, plan: Plan) -> TrainSettings:
        """The settings that a model of this plan is saved with, and loaded by."""
        method = self.settings.method if plan.contrastive else "frozen"
        if plan.contrastive and method == "frozen":
            method = "full"
        return self.settings.model_copy(update={"method": method})

    def features(self, seeds: Examples, *, contrastive: bool) -> JoinedFeatures:
        """The encoder as it is, or tuned on the seeds."""
        frozen = JoinedFeatures([build_encoder_part(self.settings_of(Plan()), self.task)])
        if not contrastive:
            return frozen
        tuned = self.settings_of(Plan(contrastive=True))
        assert tuned.few_labels is not None
        tuned = tuned.model_copy(update={"epochs": tuned.few_labels.epochs})
        return tune(tuned, self.task, seeds, self.seeds(frozen, seeds).prototypes())

    def seeds(self, features: JoinedFeatures, examples: Examples) -> Seeds:
        """The vectors of labelled examples."""
        numbers = {label: number for number, label in enumerate(self.task.labels)}
        vectors = self.vectors(features, examples.inputs)
        return Seeds(
            vectors, np.array([numbers[each] for each in examples.targets]), len(self.task.labels)
        )  # fmt: skip

    def vectors(self, features: JoinedFeatures, inputs: Sequence[Input]) -> Vectors:
        """One row of length 1 per input."""
        model = TaskModel(self.task, features)
        model.precision = self.settings.precision
        if not inputs:
            return np.zeros((0, features.width), dtype=np.float32)
        return unit(model.vectors(model.prepare(inputs), batch_size=64).numpy())

    def heads(
        self, features: JoinedFeatures, examples: Examples, ways: Sequence[str]
    ) -> list[tuple[Head, Taught | None]]:
        """For each way to learn from rows without a label the head, and what it took them for."""
        seeds = self.seeds(features, examples)
        vectors = self.vectors(features, self.unlabelled if set(ways) != {"none"} else ())
        found: list[tuple[Head, Taught | None]] = []
        for way in ways:
            taught = WAYS[way](seeds, vectors) if way != "none" else None
            found.append((fit_head(seeds, vectors, taught), taught))
        return found
