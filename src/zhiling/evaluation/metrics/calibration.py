"""Whether a model is as sure as it is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from zhiling.errors import UsageError
from zhiling.evaluation.metrics.labels import labels_of
from zhiling.evaluation.metrics.metric import Floats, Metric, Probabilities, Scorer
from zhiling.evaluation.metrics.row_mean import mean_of

BINS = 15


class _OfProbabilities(Metric):
    lower_is_better: ClassVar[bool] = True
    needs_probabilities: ClassVar[bool] = True

    def required(self, probabilities: Probabilities | None) -> Probabilities:
        """The probabilities.

        Raises:
            UsageError: there are none.
        """
        if probabilities is None:
            raise UsageError(
                f"metric {self.name!r} needs probabilities, and answers alone were given",
                hint="Name another metric first in `evaluate.metrics`: the first one chooses the epoch.",
            )
        return probabilities


class ExpectedCalibrationError(_OfProbabilities):
    """How far a model's certainty lies from its accuracy, in [0, 1]; 0 is best.

    ECE = Σ over 15 bins of equal width of |rows right − certainty summed| / rows. A row is right where its
    answer is the truth. Anchor: certain (1) of four answers of which three are right gives 1/4.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3.
    """

    name: ClassVar[str] = "ece"

    def scorer(
        self, truth: Sequence[str], predicted: Sequence[str], probabilities: Probabilities | None = None
    ) -> Scorer:
        """The error under each weighting."""
        sure = np.asarray(self.required(probabilities).best, np.float64)
        right = np.array([true == told for true, told in zip(truth, predicted, strict=True)], np.float64)
        bins = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)  # (k/15, (k+1)/15]
        gaps = np.zeros((len(truth), BINS))
        gaps[np.arange(len(truth)), bins] = right - sure
        return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


class Brier(_OfProbabilities):
    """The mean squared distance of the probabilities of all classes from the truth, in [0, 2]; 0 is best.

    (1/N) Σ over rows and classes of (p − [class is true])². A true class that the model does not know adds
    its 1. With several labels a row the mean runs over rows, and each label adds its own square. Anchor: 1/2
    for each of two classes gives 1/2.

    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability, equation 2.
    """

    name: ClassVar[str] = "brier"

    def scorer(
        self,
        truth: Sequence[str],
        predicted: Sequence[str],
        probabilities: Probabilities | None = None,
    ) -> Scorer:
        """The distance under each weighting.

        Raises:
            UsageError: there are no probabilities, or none of classes.
        """
        found = self.required(probabilities)
        if found.scores is None:
            raise UsageError(
                f"metric {self.name!r} needs the probabilities of all classes, and this task has no classes",
                hint="Use `ece`, which needs those of the answers only.",
            )
        return mean_of(_distances([labels_of(each) for each in truth], found.scores, found.classes))


def _distances(truth: Sequence[Sequence[str]], scores: Floats, classes: Sequence[str]) -> Floats:
    """The squared distance of each row, shape (n,)."""
    columns = {name: column for column, name in enumerate(classes)}
    true = np.zeros(scores.shape)
    unknown = np.zeros(len(scores))
    for row, labels in enumerate(truth):
        known = [columns[label] for label in labels if label in columns]
        true[row, known] = 1
        unknown[row] = len(labels) - len(known)
    return ((scores - true) ** 2).sum(axis=1) + unknown
