"""Metrics that judge each row by itself: the score is the mean over the rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from zhiling.evaluation.metrics.metric import Floats, Metric, Probabilities, Scorer


class RowMean(Metric):
    """The mean of one number in [0, 1] per row."""

    @classmethod
    @abstractmethod
    def of_row(cls, truth: str, answer: str) -> float:
        """How right an answer is, from 0 to 1."""

    def scorer(
        self,
        truth: Sequence[str],
        predicted: Sequence[str],
        probabilities: Probabilities | None = None,
    ) -> Scorer:
        """The mean under each weighting."""
        rows = [self.of_row(true, answer) for true, answer in zip(truth, predicted, strict=True)]
        return mean_of(np.array(rows, np.float64))


def mean_of(rows: Floats) -> Scorer:
    """The weighted mean of one number per row, shape (n,)."""
    return lambda weights: (weights @ rows) / weights.sum(axis=1)
