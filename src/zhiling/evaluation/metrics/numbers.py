"""Predicted numbers beside true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from zhiling.evaluation.metrics.metric import Floats, Metric


def _moments(truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> tuple[Floats, ...]:
    """Weighted variances of truth and prediction, their covariance, and the mean squared error."""
    true, told = (np.array([float(each) for each in column]) for column in (truth, predicted))
    shares = weights / weights.sum(axis=1, keepdims=True)
    mean, told_mean = shares @ true, shares @ told
    variance, told_variance = shares @ true**2 - mean**2, shares @ told**2 - told_mean**2
    return variance, told_variance, shares @ (true * told) - mean * told_mean, shares @ (true - told) ** 2


class Pearson(Metric):
    """The linear correlation of prediction and truth, in [−1, 1]; 0 where one of them does not vary.

    Anchor: truth 1, 2, 3 with the predictions 2, 4, 6 gives 1, with 3, 2, 1 gives −1.
    """

    name: ClassVar[str] = "pearson"

    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """The correlation under each weighting, shape (resamples,)."""
        variance, told, both, _ = _moments(truth, predicted, weights)
        scale = np.sqrt(np.maximum(variance, 0) * np.maximum(told, 0))
        return np.divide(both, scale, out=np.zeros_like(both), where=scale > 1e-12)


class RSquared(Metric):
    """The share of the truth's variance that is explained, at most 1, below 0 where the mean serves better.

    R² = 1 − mean squared error / variance. Anchor: truth 1, 2, 3 with 2 for all gives 0.
    """

    name: ClassVar[str] = "r_squared"

    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """R² under each weighting, shape (resamples,); 0 where the truth does not vary."""
        variance, _, _, error = _moments(truth, predicted, weights)
        return np.where(variance > 1e-12, 1 - error / np.maximum(variance, 1e-12), 0.0)
