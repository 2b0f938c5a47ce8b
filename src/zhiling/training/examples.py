"""What goes into training and what comes out: examples, predictions, the record of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.training.inputs import Input, shown_text

_COLUMNS = ("ids", "inputs", "targets", "languages", "groups", "sources")


@dataclass(frozen=True)
class Examples:
    """Labelled inputs in columns of equal length."""

    ids: tuple[str, ...]
    inputs: tuple[Input, ...]
    targets: tuple[str, ...]
    """The truth as the task spells it: a label, or the row's `target` as JSON."""
    languages: tuple[str, ...]
    """BCP-47 tags, "und" where unknown."""
    groups: tuple[str | None, ...] = ()
    """The document, the conversation, … that each is part of; empty: of none of them known."""
    sources: tuple[str | None, ...] = ()
    """Where each comes from; empty: of none of them known."""
    unlabelled: tuple[Input, ...] = ()
    """Beside the columns: inputs without a label, of any number. `few_labels` learns from them, all else
    passes over them."""

    def __post_init__(self) -> None:
        for name in ("groups", "sources"):
            if not getattr(self, name):
                object.__setattr__(self, name, (None,) * len(self.ids))
        lengths = {len(getattr(self, name)) for name in _COLUMNS}
        if len(lengths) != 1:
            raise UsageError(f"all columns of examples must have one length, got lengths {sorted(lengths)!r}")

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> Examples:
        """Some of the examples, in the order given; inputs without a label stay."""
        return replace(self, **{name: tuple(getattr(self, name)[row] for row in rows) for name in _COLUMNS})

    def followed_by(self, other: Examples) -> Examples:
        """These examples and the other's behind them; inputs without a label stay these."""
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in _COLUMNS})

    @property
    def texts(self) -> tuple[str, ...]:
        """What each input shows, as one text: message under message."""
        return tuple(map(shown_text, self.inputs))

    def as_lists(self) -> list[list[list[str | None]]]:
        """The inputs as lists of (role, text, name), for JSON."""
        return [[list(turn) for turn in turns] for turns in self.inputs]

    def unlabelled_as_lists(self) -> list[list[list[str | None]]]:
        """The inputs without a label in the same form."""
        return [[list(turn) for turn in turns] for turns in self.unlabelled]


class Answer(NamedTuple):
    """What a model says about one input."""

    text: str
    """The best answer, spelled as the targets are."""
    score: float
    """How sure the model is, in [0, 1]."""
    scores: NDArray[np.float32] | None = None
    """One number per class, summing to 1; None where the task has no fixed classes."""
    by_message: tuple[float, ...] = ()
    """How sure it is of what it says about each message, where the task tells it."""


@dataclass(frozen=True)
class Predictions:
    """What a model says about each input."""

    answers: tuple[str, ...]
    """The best answer per input, spelled as the targets are."""
    best_scores: NDArray[np.float32]
    """How sure the model is of it, in [0, 1], shape (n,)."""
    scores: NDArray[np.float32]
    """Shape (n, classes), rows sum to 1; the columns follow `classes`. No columns where there are none."""
    classes: tuple[str, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict[str, int])
    """What had to be done to answer, with counts: inputs that were cut, replies that could not be read."""

    @classmethod
    def of(
        cls, answers: Sequence[Answer], classes: tuple[str, ...], notes: Mapping[str, int] | None = None
    ) -> Predictions:
        """Answers in columns."""
        rows = [answer.scores for answer in answers if answer.scores is not None]
        return cls(
            tuple(answer.text for answer in answers),
            np.array([answer.score for answer in answers], dtype=np.float32),
            np.stack(rows) if rows else np.zeros((len(answers), len(classes)), np.float32),
            classes,
            notes or {},
        )

    def __len__(self) -> int:
        """Number of inputs."""
        return len(self.answers)

    def take(self, rows: Sequence[int]) -> Predictions:
        """What is said about some of the inputs, in the order given; the notes are of all."""
        answers = tuple(self.answers[row] for row in rows)
        return replace(self, answers=answers, best_scores=self.best_scores[rows], scores=self.scores[rows])


@dataclass(frozen=True)
class EpochRecord:
    """What one pass over the training examples brought."""

    epoch: int
    """Counted from 1."""
    loss: float
    """Mean training loss per example."""
    dev_score: float
    """What `evaluate` gave on the dev examples."""
    best: bool
    """No earlier epoch had a dev score as high."""
    pieces: int = 1
    """In how many micro-batches a batch was computed; more than `accumulate` where memory ran out."""


Evaluate = Callable[[Sequence[str], Sequence[str]], float]
"""(truth, predicted) → score, higher is better. Metrics live above this room: they are passed in."""

Progress = Callable[[EpochRecord], None]
