"""Predicted numbers beside true ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from zhiling.evaluation.metrics.metric import Floats, Metric, Probabilities, Scorer


class Moments(NamedTuple):
    """Under each weighting, shape (resamples,)."""

    variance: Floats
    """Of the truth."""
    told_variance: Floats
    """Of the predictions."""
    covariance: Floats
    error: Floats
    """The mean squared one."""


class _OfMoments(Metric):
    @staticmethod
    @abstractmethod
    def of_moments(moments: Moments) -> Floats:
        """The score under each weighting, shape (resamples,)."""

    def scorer(
        self,
        truth: Sequence[str],
        predicted: Sequence[str],
        probabilities: Probabilities | None = None,
    ) -> Scorer:
        """The score under each weighting."""
        true, told = (np.array([float(each) for each in column]) for column in (truth, predicted))

        def score(weights: Floats) -> Floats:
            shares = weights / weights.sum(axis=1, keepdims=True)
            mean, told_mean = shares @ true, shares @ told
            both = shares @ (true * told) - mean * told_mean
            spread = shares @ true**2 - mean**2, shares @ told**2 - told_mean**2
            return self.of_moments(Moments(*spread, both, shares @ (true - told) ** 2))

        return score


class Pearson(_OfMoments):
    """The linear correlation of prediction and truth, in [−1, 1]; 0 where one of them does not vary.

    Anchor: truth 1, 2, 3 with the predictions 2, 4, 6 gives 1, with 3, 2, 1 gives −1.
    """

    name: ClassVar[str] = "pearson"

    @staticmethod
    def of_moments(moments: Moments) -> Floats:
        """Covariance over both deviations."""
        scale = np.sqrt(np.maximum(moments.variance, 0) * np.maximum(moments.told_variance, 0))
        return np.divide(moments.covariance, scale, out=np.zeros_like(scale), where=scale > 1e-12)


class RSquared(_OfMoments):
    """The share of the truth's variance that is explained, at most 1, below 0 where the mean serves better.

    R² = 1 − mean squared error / variance; 0 where the truth does not vary. Anchor: truth 1, 2, 3 with 2 for
    all gives 0.
    """

    name: ClassVar[str] = "r_squared"

    @staticmethod
    def of_moments(moments: Moments) -> Floats:
        """1 less the share that is not explained."""
        varies = moments.variance > 1e-12
        return np.where(varies, 1 - moments.error / np.maximum(moments.variance, 1e-12), 0.0)
