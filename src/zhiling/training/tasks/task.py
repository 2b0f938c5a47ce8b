"""What every task provides, so that loop, methods and checkpoints need not know which one they train."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import torch
from torch import nn

from zhiling.rows.templates.example import Turn
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import Input
from zhiling.training.joined_text import JoinedText
from zhiling.training.reading.features import FeaturePart, Prepared, Segments
from zhiling.training.settings import TrainSettings

if TYPE_CHECKING:
    from zhiling.training.model import TaskModel

Level = Literal["text", "token"]


class Task(ABC):
    """One kind of target: its head, its loss, and the way from targets to tensors and back."""

    name: ClassVar[str]
    level: ClassVar[Level] = "text"
    """"token" where the head reads states of tokens: the encoder then runs inside the loop."""
    truth_in_messages: ClassVar[bool] = False
    """Whether a row's truth may stand in its messages (`of_row` reads them)."""
    pairs: bool = False
    """Whether a sequence is a pair of texts."""

    @property
    def reads_letters(self) -> bool:
        """Whether the encoder is shown the letters of words."""
        return False

    @classmethod
    @abstractmethod
    def target(cls, document: str) -> str | None:
        """The row's `target` (JSON) as this task spells it; None where it is not one of this task's."""

    @classmethod
    def given(cls, document: str) -> Turn | None:  # noqa: ARG003 - few tasks are given anything
        """What an input of this task holds beside the row's messages, out of its `target` (JSON)."""
        return None

    @classmethod
    def of_row(cls, document: str | None, turns: Input) -> str | None:  # noqa: ARG003 - most need no messages
        """The truth of a row, from its `target` and its messages; None where it has none of this task's."""
        return None if document is None else cls.target(document)

    @classmethod
    @abstractmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The task with what it takes from the training targets: the set of labels, for example.

        Raises:
            UsageError: nothing can be learnt from these targets.
        """

    @classmethod
    @abstractmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task that gave this `state`.

        Raises:
            ValueError: the state is not one of this task's.
        """

    @abstractmethod
    def state(self) -> dict[str, object]:
        """What `learn` took, as JSON values."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The columns of the scores, where answers are one of a fixed set."""
        return ()

    @property
    def pool(self) -> Sequence[Segments]:
        """Texts that every answer is chosen from: the model keeps their vectors."""
        return ()

    @abstractmethod
    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """What these examples hold and can never be predicted, with how often each occurs."""

    def contradictions(self, examples: Examples) -> dict[str, int]:
        """What training examples say in two ways, with how many do. All of them are learnt from."""
        return {}

    @abstractmethod
    def segments(self, turns: Input) -> list[Segments]:
        """What the encoder reads of one input: at least one sequence."""

    def sequences(self, examples: Examples) -> list[Segments]:
        """All that the encoder reads of training examples: what n-grams are learnt from."""
        return [each for turns in examples.inputs for each in self.segments(turns)]

    def parts(self, sequences: Sequence[Segments] = ()) -> list[FeaturePart]:
        """Further features that the task reads, learnt from these sequences; of none where weights follow."""
        return []

    def material(self, model: TaskModel, examples: Examples) -> Prepared:
        """What the model needs of training examples."""
        return model.prepare(examples.inputs)

    @abstractmethod
    def head(self, width: int) -> nn.Module:
        """A new head: its forward takes `Encoded` of that width and `Prepared`, and gives the outputs."""

    @abstractmethod
    def truths(self, examples: Examples, prepared: Prepared) -> list[Any]:
        """Each target as the loss wants it; computed once, outside the loop."""

    @abstractmethod
    def loss(self, outputs: Any, truths: Sequence[Any]) -> torch.Tensor:
        """The mean loss of a batch, a scalar."""

    def weight(self, truths: Sequence[Any]) -> float:
        """How many items the mean of `loss` runs over: what a piece of a batch counts beside the others."""
        return len(truths)

    @abstractmethod
    def answers(self, outputs: Any, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """What the outputs of a batch say, one answer per input."""


class Teachable(Protocol):
    """A task whose outputs say how likely each class of each item is, so that one model can teach another."""

    def beliefs(self, outputs: Any, prepared: Prepared) -> list[torch.Tensor]:
        """What the outputs of a batch hold likely: of each example (items, classes), rows sum to 1."""
        ...

    def loss_to(self, outputs: Any, beliefs: Sequence[torch.Tensor]) -> torch.Tensor:
        """The mean loss of a batch against what teachers hold likely, a scalar."""
        ...


@dataclass(frozen=True)
class ReadTask(Task):
    """A task that takes nothing from the targets: what it answers with stands in each input."""

    settings: TrainSettings
    pairs: bool = True

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:  # noqa: ARG003
        """The task as it is."""
        return cls(settings)

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:  # noqa: ARG003
        """The task as it is."""
        return cls(settings)

    def state(self) -> dict[str, object]:
        """Nothing."""
        return {}


def whole_text(turns: Input) -> list[Segments]:
    """What users and documents say, as one text."""
    return [Segments(JoinedText.of(turns).text)]
