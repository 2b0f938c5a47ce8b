"""The right one of several options: each is read with the question, the best score wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import nn

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.training.examples import Answer, Examples
from zhiling.training.inputs import Input, asked_text, options_of, texts_named
from zhiling.training.objectives import cross_entropy
from zhiling.training.reading.features import Encoded, Prepared, Segments
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.targets import must_read, read_target
from zhiling.training.tasks.task import ReadTask
from zhiling.training.tasks.text_task import LinearHead
from zhiling.training.tensors import as_list


class ChoiceHead(nn.Module):
    """A score per option: (examples, most options), −inf where an example has fewer."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.score = LinearHead(width, 1, dropout)

    def forward(self, encoded: Encoded, prepared: Prepared) -> torch.Tensor:
        """Scores of the options of each example."""
        scores = self.score(encoded, prepared).squeeze(1).split(prepared.counts)
        return nn.utils.rnn.pad_sequence(list(scores), batch_first=True, padding_value=float("-inf"))


class Choice(ReadTask):
    """Questions with messages named `choice`; targets are `{"choice": 2}`, from 0."""

    name: ClassVar[str] = "choice"

    @classmethod
    def target(cls, document: str) -> str | None:
        """The number of the right option."""
        found = read_target(document, targets.Choice)
        return targets.spelled(targets.Choice(choice=found.choice)) if found else None

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """Nothing: the options stand in each example.

        Raises:
            UsageError: the target of an example is none of its options.
        """
        for row, turns, target in zip(examples.ids, examples.inputs, examples.targets, strict=True):
            right, options = must_read(target, targets.Choice).choice, len(texts_named(turns, targets.CHOICE))
            if right >= options:
                raise UsageError(
                    f"the target is option {right}, and there are {options}, counted from 0", place=row,
                    hint="Check the source's `answer_as`.",
                )  # fmt: skip
        return cls(settings)

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Nothing: options are read, not learnt."""
        return {}

    def segments(self, turns: Input) -> list[Segments]:
        """The question (behind its passage) with each option.

        Raises:
            UsageError: there is no option.
        """
        return [Segments(asked_text(turns), option) for option in options_of(turns)]

    def head(self, width: int) -> nn.Module:
        """One score per option."""
        return ChoiceHead(width, self.settings.dropout)

    def truths(self, examples: Examples, prepared: Prepared) -> list[int]:
        """Numbers of the right options."""
        return [must_read(target, targets.Choice).choice for target in examples.targets]

    def loss(self, outputs: torch.Tensor, truths: Sequence[int]) -> torch.Tensor:
        """The mean cross-entropy over the options of each question, in nats."""
        return cross_entropy(outputs, torch.tensor(truths))

    def answers(self, outputs: torch.Tensor, inputs: Sequence[Input], prepared: Prepared) -> list[Answer]:
        """The best option of each question and its probability."""
        sure, best = outputs.softmax(dim=1).max(dim=1)
        return [
            Answer(targets.spelled(targets.Choice(choice=number)), score)
            for number, score in zip(as_list(best), as_list(sure), strict=True)
        ]
