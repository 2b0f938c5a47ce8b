"""What every metric provides: a score for any weighting of the test rows, so that it can be resampled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Scorer = Callable[[Floats], Floats]
"""How often each row counts, shape (resamples, n), every sum above 0 → the scores, shape (resamples,)."""


@dataclass(frozen=True)
class Probabilities:
    """How sure a model was of its n answers."""

    best: Floats
    """Of the answer that it gave, in [0, 1], shape (n,)."""
    scores: Floats | None = None
    """Of every class, shape (n, classes); None where the task has no fixed classes."""
    classes: tuple[str, ...] = ()
    """The columns of `scores`."""

    def take(self, places: Sequence[int]) -> Probabilities:
        """Those of some rows."""
        scores = None if self.scores is None else self.scores[places]
        return Probabilities(self.best[places], scores, self.classes)


class Metric(ABC):
    """A score, in [0, 1] and higher is better unless the metric says otherwise."""

    name: ClassVar[str]
    lower_is_better: ClassVar[bool] = False
    needs_probabilities: ClassVar[bool] = False
    """Answers that come without them are not scored."""

    @abstractmethod
    def scorer(
        self, truth: Sequence[str], predicted: Sequence[str], probabilities: Probabilities | None = None
    ) -> Scorer:
        """The score of these answers under any weighting; what it counts in them it counts once, here.

        Args:
            truth: n truths, as the task spells them.
            predicted: n answers.
            probabilities: of the n answers, where the metric needs them.
        """

    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """The score under each of several weightings of the rows, shape (resamples,)."""
        return self.scorer(truth, predicted)(weights)

    def score(
        self, truth: Sequence[str], predicted: Sequence[str], probabilities: Probabilities | None = None
    ) -> float:
        """The score with each row counted once.

        Raises:
            ValueError: there is no row, so there is no score; 0 would be a lie.
        """
        if not truth:
            raise ValueError(f"{self.name} of no rows is undefined")
        return float(self.scorer(truth, predicted, probabilities)(np.ones((1, len(truth))))[0])
