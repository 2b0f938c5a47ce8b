"""Hits, predictions and truths per label: what precision, recall and F1 are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zhiling.evaluation.metrics.metric import Floats


@dataclass(frozen=True)
class LabelCounts:
    """Counts per label, each of shape (resamples, labels)."""

    labels: tuple[str, ...]
    """Every label that is true or predicted somewhere, sorted."""
    hits: Floats
    """Rows where truth and prediction are this label."""
    predicted: Floats
    """Rows with this prediction."""
    true: Floats
    """Rows with this truth."""

    def precision(self) -> Floats:
        """Hits per prediction, shape (resamples, labels); 0 where nothing was predicted."""
        return _ratio(self.hits, self.predicted)

    def recall(self) -> Floats:
        """Hits per truth, shape (resamples, labels); 0 where nothing was true."""
        return _ratio(self.hits, self.true)

    def f1(self) -> Floats:
        """2 · hits / (predicted + true), shape (resamples, labels); 0 where both are 0.

        Anchor: precision 1 and recall 1/2 give 2/3.
        """
        return _ratio(2 * self.hits, self.predicted + self.true)


def count_labels(
    truth: Sequence[str], predicted: Sequence[str], weights: Floats | None = None
) -> LabelCounts:
    """The counts under each weighting of the n rows (shape (resamples, n)); unset: each row once."""
    labels, codes = np.unique(np.array([*truth, *predicted], dtype=np.str_), return_inverse=True)
    size = len(truth)
    true_codes, predicted_codes = codes[:size], codes[size:]
    weights = np.ones((1, size)) if weights is None else weights
    hit = np.where(true_codes == predicted_codes, true_codes, len(labels))
    return LabelCounts(
        labels=tuple(str(label) for label in labels),
        hits=_sums(hit, weights, len(labels) + 1)[:, :-1],
        predicted=_sums(predicted_codes, weights, len(labels)),
        true=_sums(true_codes, weights, len(labels)),
    )


def _sums(codes: np.ndarray, weights: Floats, size: int) -> Floats:
    """The weight that falls on each code: shape (resamples, size)."""
    membership = np.zeros((len(codes), size))
    membership[np.arange(len(codes)), codes] = 1
    return weights @ membership


def _ratio(part: Floats, whole: Floats) -> Floats:
    """The quotient, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
