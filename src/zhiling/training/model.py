"""Features and head in one network, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import nn

from zhiling.training.answers.pairs_to_learn import in_pieces
from zhiling.training.examples import Answer
from zhiling.training.inputs import Input
from zhiling.training.reading.backbones import TunedEncoder
from zhiling.training.reading.features import Encoded, FeaturePart, JoinedFeatures, Prepared
from zhiling.training.running.precision import Precision, autocast
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Task, Teachable
from zhiling.training.tensors import parted

T = TypeVar("T")


class TaskModel(nn.Module):
    """Inputs to the answers of a task."""

    def __init__(self, task: Task, features: JoinedFeatures) -> None:
        super().__init__()
        self.task = task
        self.features = features
        self.head = task.head(features.width)
        self.pool_inputs: Prepared | None = None
        """What the features need of the task's pool; made once."""
        self.precision: Precision = "fp32"
        """At which texts are read when answers are due; the head is always fp32."""

    def forward(self, inputs: Prepared) -> Any:
        """The head's outputs for a batch."""
        if self.training:
            return self.head(self.features(inputs), inputs)
        with autocast(self.precision):
            encoded: Encoded = self.features(inputs)
        return self.head(encoded.in_fp32(), inputs)

    def prepare(self, inputs: Sequence[Input]) -> Prepared:
        """What `forward` needs of each input; done once per input."""
        return self.features.prepare([self.task.segments(turns) for turns in inputs])

    def answers(self, inputs: Sequence[Input], prepared: Prepared, batch_size: int) -> list[Answer]:
        """The answers to any number of inputs, in their order, without gradients or dropout."""
        return self._each(
            prepared, batch_size,
            lambda rows, batch: self.task.answers(self(batch), [inputs[row] for row in rows], batch),
        )  # fmt: skip

    def beliefs(self, prepared: Prepared, batch_size: int) -> list[torch.Tensor]:
        """What the model holds likely of each example, see `Teachable`; without gradients or dropout."""
        task = cast(Teachable, self.task)
        return self._each(prepared, batch_size, lambda _, batch: task.beliefs(self(batch), batch))

    def vectors(self, prepared: Prepared, batch_size: int) -> torch.Tensor:
        """What the head would read of each example: float32, shape (n, width), n above 0.

        The mean over the sequences of an example (the options of a choice) and over the windows of a long
        one.
        """

        def tell(_: list[int], batch: Prepared) -> Sequence[torch.Tensor]:
            with autocast(self.precision):
                lines: torch.Tensor = self.features(batch).in_fp32().text
            read_words = self.task.level == "token"
            counts = [len(each) for each in batch.windows] if read_words else batch.counts
            return [each.mean(dim=0) for each in parted(lines, counts)]

        return torch.stack(self._each(prepared, batch_size, tell))

    def _each(
        self, prepared: Prepared, batch_size: int, tell: Callable[[list[int], Prepared], Sequence[T]]
    ) -> list[T]:
        """What is told of each example, in their order; examples of like length are computed together."""
        self.eval()
        lengths = prepared.lengths()
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        found: dict[int, T] = {}
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                found |= zip(rows, tell(rows, prepared.take(rows)), strict=True)
        return [found[row] for row in range(len(order))]

    def settle(self) -> None:
        """Lets the head keep the vectors of the task's pool as the weights now make them.

        To be called when weights have moved and answers are due.
        """
        if not self.task.pool:
            return
        self.eval()
        if self.pool_inputs is None:
            self.pool_inputs = self.features.prepare([[each] for each in self.task.pool])
        vectors = in_pieces(lambda each: self.features(each).text, self.pool_inputs)
        with torch.no_grad():
            cast(Any, self.head).keep(vectors)

    def count_cut(self, inputs: Sequence[Input]) -> int:
        """How many sequences of these inputs are longer than the encoder reads."""
        sequences = [each for turns in inputs for each in self.task.segments(turns)]
        return sum(part.count_cut(sequences) for part in self._parts())

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

    def all_weights(self) -> int:
        """How many numbers the model has, those of an encoder outside the loop not counted."""
        return sum(weight.numel() for weight in self.parameters())

    def _parts(self) -> Iterator[FeaturePart]:
        """The feature parts, with their type."""
        for part in self.features.parts:
            yield cast(FeaturePart, part)
