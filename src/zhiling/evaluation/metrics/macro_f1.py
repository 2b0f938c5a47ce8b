"""The mean of the labels' F1: a rare label counts as much as a frequent one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from zhiling.evaluation.metrics.label_counts import count_labels
from zhiling.evaluation.metrics.metric import Floats, Metric


class MacroF1(Metric):
    """Mean F1 over all labels that are true or predicted somewhere, as scikit-learn's `f1_score` counts it.

    In a resample the mean runs over the labels that occur in that resample. Anchor: truth a, a, b, b with
    the prediction a for all gives (2/3 + 0) / 2 = 1/3.
    """

    name: ClassVar[str] = "macro_f1"

    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """The macro-F1 under each weighting, shape (resamples,)."""
        counts = count_labels(truth, predicted, weights)
        occurs = (counts.true + counts.predicted) > 0
        return counts.f1().sum(axis=1) / occurs.sum(axis=1)
