"""Classifiers that are fitted in closed form, as a round fits dozens of them.

Least squares tell two kinds of rows apart. Discriminant analysis tells many labels apart: from five rows of
each of CLINC150's 150 it has .865 right where least squares have .815 and a logistic regression .878, in a
hundredth of the logistic regression's time; and it gives no label more weight for having more rows.

Source: Rifkin et al. 2003, Regularized least-squares classification; Friedman 1989, Regularized
Discriminant Analysis (one covariance for all classes, drawn towards a multiple of the identity).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.sparse import require

Matrix = NDArray[np.float64]
Vectors = NDArray[np.float32]
Classes = NDArray[np.int64]
Flags = NDArray[np.bool_]

RIDGE = 0.5
"""Penalty on the weights of least squares; texts have length 1."""
SHRINKAGE = 4.0
"""Multiple of the mean variance that is added to the covariance: 3 to 10 are about equally good."""
_LEAST_VARIANCE = 1e-6  # where all rows of each class are equal


@dataclass(frozen=True)
class Linear:
    """A score for each column of what was wanted: about 0 not this, about 1 this."""

    weights: Matrix
    bias: Matrix

    def scores(self, vectors: Vectors) -> Matrix:
        """Float64 (n, columns)."""
        return vectors @ self.weights.astype(np.float32) + self.bias


def fitted(vectors: Vectors, wanted: Matrix, ridge: float = RIDGE) -> Linear:
    """The weights with the least squares, about the mean of what is wanted.

    Args:
        vectors: (n, dimension).
        wanted: (n, columns).
        ridge: weight of the penalty, above 0.
    """
    mean = wanted.mean(axis=0)
    return Linear(_solved(vectors, vectors.T @ (wanted - mean), ridge), mean)


def discriminant(vectors: Vectors, classes: Classes, count: int) -> Linear:
    """A score for each class, classes being equally likely: the log of the density but for a constant.

    Args:
        vectors: (n, dimension).
        classes: of each row, 0 to `count` - 1. A class without a row has the mean of all rows.
        count: number of classes.
    """
    places = (classes, np.arange(len(classes)))
    indicators: Any = require("scipy.sparse").csr_array(
        (np.ones(len(classes)), places), (count, len(classes))
    )
    sizes = np.bincount(classes, minlength=count)
    means = indicators @ vectors / np.maximum(sizes, 1)[:, None]
    means[sizes == 0] = vectors.mean(axis=0)
    around = vectors - means.astype(np.float32)[classes]
    variance = max(float(np.square(around).sum()) / around.size, _LEAST_VARIANCE)
    weights = len(vectors) * _solved(around, means.T, len(vectors) * SHRINKAGE * variance)
    return Linear(weights, -0.5 * np.einsum("kd,dk->k", means, weights))


def cross_fitted(fit: Callable[[Flags], Linear], vectors: Vectors, folds: Classes) -> Matrix:
    """Scores of each row by what was fitted without its fold, (n, columns).

    Args:
        fit: fits on the rows of a mask.
        vectors: (n, dimension).
        folds: of each row.
    """
    parts = [(folds == fold, fit(folds != fold).scores(vectors[folds == fold])) for fold in np.unique(folds)]
    scores = np.empty((len(vectors), parts[0][1].shape[1]))
    for held, found in parts:
        scores[held] = found
    return scores


def _solved(rows: NDArray[np.floating], product: NDArray[np.floating], ridge: float) -> Matrix:
    """A with (Xᵀ X + ridge · I) A = product, X being the rows; by X Xᵀ where that is smaller (Woodbury)."""
    if len(rows) >= rows.shape[1]:
        return _definite(rows.T @ rows, ridge, product)
    inner = _definite(rows @ rows.T, ridge, rows @ product)
    return (product - rows.T @ inner) / ridge


def _definite(gram: NDArray[np.floating], ridge: float, product: NDArray[np.floating]) -> Matrix:
    linear: Any = require("scipy.linalg")
    gram = gram.astype(np.float64)
    gram[np.diag_indices_from(gram)] += ridge
    return linear.solve(gram, product, assume_a="pos", overwrite_a=True, check_finite=False)
