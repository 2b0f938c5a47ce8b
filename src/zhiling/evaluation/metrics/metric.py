"""What every metric provides: a score for any weighting of the test rows, so that it can be resampled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Metric(ABC):
    """A score in [0, 1], higher is better."""

    name: ClassVar[str]

    @abstractmethod
    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """The score under each of several weightings of the rows.

        Args:
            truth: n labels.
            predicted: n labels.
            weights: how often each row counts, shape (resamples, n); every sum is above 0.

        Returns:
            Shape (resamples,).
        """

    def score(self, truth: Sequence[str], predicted: Sequence[str]) -> float:
        """The score with each row counted once.

        Raises:
            ValueError: there is no row, so there is no score; 0 would be a lie.
        """
        if not truth:
            raise ValueError(f"{self.name} of no rows is undefined")
        return float(self.weighted(truth, predicted, np.ones((1, len(truth))))[0])
