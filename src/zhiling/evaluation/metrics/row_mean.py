"""Metrics that judge each row by itself: the score is the mean over the rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from zhiling.evaluation.metrics.metric import Floats, Metric


class RowMean(Metric):
    """The mean of one number in [0, 1] per row."""

    @staticmethod
    @abstractmethod
    def of_row(truth: str, answer: str) -> float:
        """How right an answer is, from 0 to 1."""

    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """The mean under each weighting, shape (resamples,)."""
        scores = np.array(
            [self.of_row(true, answer) for true, answer in zip(truth, predicted, strict=True)], np.float64
        )
        return (weights @ scores) / weights.sum(axis=1)
