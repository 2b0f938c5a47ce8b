"""What goes into training and what comes out: examples, predictions, the record of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError


@dataclass(frozen=True)
class Examples:
    """Labelled texts in columns of equal length."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    targets: tuple[str, ...]
    """The truth: a label, or for other tasks the row's `target` as JSON."""
    languages: tuple[str, ...]
    """BCP-47 tags, "und" where unknown."""

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.texts), len(self.targets), len(self.languages)}
        if len(lengths) != 1:
            raise UsageError(
                f"ids, texts, targets and languages must have one length, got {sorted(lengths)!r}"
            )

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.ids)


@dataclass(frozen=True)
class Predictions:
    """What a model says about each text."""

    labels: tuple[str, ...]
    """The best answer per text."""
    scores: NDArray[np.float32]
    """Shape (n, classes), rows sum to 1; the columns follow `classes`."""
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.labels)

    @property
    def best_scores(self) -> NDArray[np.float32]:
        """The score of each text's label, shape (n,)."""
        return self.scores.max(axis=1) if len(self) else np.zeros(0, np.float32)


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


Evaluate = Callable[[Sequence[str], Sequence[str]], float]
"""(truth, predicted) → score, higher is better. Metrics live above this room: they are passed in."""

Progress = Callable[[EpochRecord], None]
