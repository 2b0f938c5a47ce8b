"""Tasks that answer about a text, or about a pair of texts, as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from zhiling.errors import UsageError
from zhiling.rows.target import FIRST, SECOND
from zhiling.training.examples import Examples
from zhiling.training.inputs import Input, named
from zhiling.training.reading.features import Encoded, Prepared, Segments
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.labels import learn_labels, restore_labels, unknown_labels
from zhiling.training.tasks.task import Task, whole_text


class LinearHead(nn.Module):
    """Dropout and a linear layer: the text's vector, (batch, width) → (batch, columns)."""

    def __init__(self, width: int, columns: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, columns)

    def forward(self, encoded: Encoded, prepared: Prepared) -> torch.Tensor:
        """One number per column."""
        return self.linear(self.dropout(encoded.text))


@dataclass(frozen=True)
class TextTask(Task):
    """A text, or the texts named `first` and `second`, and labels for it; a label's number is its place."""

    labels: tuple[str, ...]
    settings: TrainSettings
    pairs: bool = False
    weights: tuple[float, ...] = ()
    """What an example of each label counts; none: all the same."""

    columns: ClassVar[int | None] = None
    """Numbers that the head gives; None: one per label."""

    @classmethod
    def restore(cls, state: Mapping[str, Any], settings: TrainSettings) -> Self:
        """The task with the labels of a saved model."""
        return cls(restore_labels(state), settings, bool(state.get("pairs", False)))

    def state(self) -> dict[str, object]:
        """The labels in the order of their numbers, and whether texts are pairs."""
        return {"labels": list(self.labels), "pairs": self.pairs}

    def segments(self, turns: Input) -> list[Segments]:
        """The whole input as one text, or its two texts.

        Raises:
            UsageError: the model reads pairs, and this is none.
        """
        if not self.pairs:
            return whole_text(turns)
        first, second = (named(turns, name) for name in (FIRST, SECOND))
        if first is None or second is None:
            raise UsageError(
                f"the model reads pairs, and messages {[turn.name for turn in turns]!r} are none",
                hint="Give two messages, named `first` and `second`.",
            )
        return [Segments(first, second)]

    def head(self, width: int) -> nn.Module:
        """Dropout and one linear layer."""
        return LinearHead(width, self.columns or len(self.labels), self.settings.dropout)


class LabelTask(TextTask):
    """A text task whose targets are labels."""

    @classmethod
    def learn(cls, examples: Examples, settings: TrainSettings) -> Self:
        """The labels that occur, sorted."""
        occurring = [label for target in examples.targets for label in cls.labels_in(target)]
        labels = learn_labels(occurring, len(examples))
        counts = Counter(occurring)
        weights = tuple(len(occurring) / (len(labels) * counts[label]) for label in labels)
        return cls(labels, settings, are_pairs(examples), weights if settings.class_weights else ())

    @classmethod
    def labels_in(cls, target: str) -> Sequence[str]:
        """The labels of one target."""
        return (target,)

    def unknown(self, examples: Examples, prepared: Prepared) -> dict[str, int]:
        """Labels that no training example had."""
        occurring = (label for target in examples.targets for label in self.labels_in(target))
        return unknown_labels(occurring, self.labels)


def are_pairs(examples: Examples) -> bool:
    """Whether all inputs are pairs.

    Raises:
        UsageError: some are, and some are not.
    """
    paired = sum({FIRST, SECOND} <= {turn.name for turn in turns} for turns in examples.inputs)
    if 0 < paired < len(examples):
        raise UsageError(
            f"{paired} of {len(examples)} training examples are pairs; one model reads pairs or single texts",
            hint="Use `from` and `only` in the recipe, or a recipe for each.",
        )
    return bool(paired)
