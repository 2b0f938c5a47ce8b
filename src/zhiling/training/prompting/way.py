"""What every way of answering from prompts provides, and what it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zhiling.rows.target import FIRST, SECOND
from zhiling.training.examples import Answer
from zhiling.training.inputs import Input
from zhiling.training.prompting.demonstrations import Demonstrations, Vectors
from zhiling.training.prompting.settings import PromptSettings
from zhiling.training.prompting.verbaliser import Verbaliser

Encode = Callable[[Sequence[str]], Vectors]
"""Texts → rows of length 1 (or 0 where a text is empty), float32, shape (n, dimension)."""

LABEL_TASKS = ("classification", "ordinal", "multi_label")
"""Tasks that answer with labels of whole inputs."""


@dataclass(frozen=True)
class Known:
    """What is known before any tuning.

    Attributes:
        task: name of the task.
        settings: how it is answered.
        verbaliser: labels (types, relations) in words.
        demonstrations: training rows to choose from.
        numbers: the training targets, where they are numbers, sorted.
        answers: of the training rows, where they are the candidates of every input.
        notes: what had to be done to answer, with counts; ways write it.
    """

    task: str
    settings: PromptSettings
    verbaliser: Verbaliser
    demonstrations: Demonstrations
    numbers: tuple[float, ...] = ()
    answers: tuple[str, ...] = ()
    notes: Counter[str] = field(default_factory=Counter[str], compare=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The columns of the scores."""
        return self.verbaliser.labels if self.task in LABEL_TASKS else ()

    @property
    def mean(self) -> float:
        """Of the training targets; 0 where there are none."""
        return sum(self.numbers) / len(self.numbers) if self.numbers else 0.0


class Way(Protocol):
    """Answers to inputs."""

    def answers(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer per input, in their order."""
        ...


def is_pair(turns: Input) -> bool:
    """Whether an input is two texts."""
    return {FIRST, SECOND} <= {turn.name for turn in turns}
