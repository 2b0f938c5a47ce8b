"""The share of rows that are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from zhiling.evaluation.metrics.metric import Floats, Metric


class Accuracy(Metric):
    """Right rows divided by all rows. Anchor: 3 of 4 right gives .75."""

    name: ClassVar[str] = "accuracy"

    def weighted(self, truth: Sequence[str], predicted: Sequence[str], weights: Floats) -> Floats:
        """The accuracy under each weighting, shape (resamples,)."""
        right = np.array(
            [true == answer for true, answer in zip(truth, predicted, strict=True)], dtype=np.float64
        )
        return (weights @ right) / weights.sum(axis=1)
