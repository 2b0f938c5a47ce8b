"""Features and head in one network, and how it answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

import torch
from torch import nn

from zhiling.training.backbones import TunedEncoder
from zhiling.training.examples import Answer
from zhiling.training.features import FeaturePart, JoinedFeatures, Prepared
from zhiling.training.inputs import Input
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Task


class TaskModel(nn.Module):
    """Inputs to the answers of a task."""

    def __init__(self, task: Task, features: JoinedFeatures) -> None:
        super().__init__()
        self.task = task
        self.features = features
        self.head = task.head(features.width)

    def forward(self, inputs: Prepared) -> Any:
        """The head's outputs for a batch."""
        return self.head(self.features(inputs), inputs)

    def prepare(self, inputs: Sequence[Input]) -> Prepared:
        """What `forward` needs of each input; done once per input."""
        return self.features.prepare([self.task.segments(turns) for turns in inputs])

    def answers(self, inputs: Sequence[Input], prepared: Prepared, batch_size: int) -> list[Answer]:
        """The answers to any number of inputs, in their order, without gradients or dropout."""
        self.eval()
        lengths = prepared.lengths()
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        found: list[Answer | None] = [None] * len(order)
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                batch = prepared.take(rows)
                told = self.task.answers(self(batch), [inputs[row] for row in rows], batch)
                for row, answer in zip(rows, told, strict=True):
                    found[row] = answer
        return cast(list[Answer], found)

    def begin_epoch(self, epoch: int, settings: TrainSettings) -> None:
        """Lets the method free what this epoch tunes."""
        tuned = self.tuned_encoder()
        if tuned:
            tuned.method.begin_epoch(tuned.network, epoch, settings)

    def tuned_encoder(self) -> TunedEncoder | None:
        """The encoder that runs inside the model, if there is one."""
        return next((part for part in self._parts() if isinstance(part, TunedEncoder)), None)

    def own_state(self) -> dict[str, torch.Tensor]:
        """Copies of all weights but a tuned encoder's: what is saved beside it."""
        return {
            name: value.detach().clone()
            for name, value in self.state_dict().items()
            if ".network." not in name
        }

    def tuned_names(self) -> frozenset[str]:
        """Names of the weights that training moves."""
        return frozenset(name for name, weight in self.named_parameters() if weight.requires_grad)

    def copies(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Copies of the weights of these names."""
        return {name: weight.detach().clone() for name, weight in self.named_parameters() if name in names}

    def tuned_weights(self) -> int:
        """How many numbers training moves."""
        return sum(weight.numel() for weight in self.parameters() if weight.requires_grad)

    def _parts(self) -> Iterator[FeaturePart]:
        """The feature parts, with their type."""
        for part in self.features.parts:
            yield cast(FeaturePart, part)
