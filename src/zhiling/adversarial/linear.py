"""Least-squares classifiers, fitted in closed form: a round fits dozens of them.

Source: Rifkin et al. 2003, Regularized least-squares classification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vectors = NDArray[np.float32]

RIDGE = 0.5
"""Penalty on the weights; texts have length 1."""


@dataclass(frozen=True)
class Linear:
    """A score for each column of what was wanted: about 0 not this, about 1 this."""

    weights: Matrix
    bias: Matrix

    def scores(self, vectors: Vectors) -> Matrix:
        """Float64 (n, columns)."""
        return vectors @ self.weights + self.bias


def fitted(vectors: Vectors, wanted: Matrix, ridge: float = RIDGE) -> Linear:
    """The weights with the least squares, about the mean of what is wanted.

    Args:
        vectors: (n, dimension).
        wanted: (n, columns).
        ridge: weight of the penalty, above 0.
    """
    mean = wanted.mean(axis=0)
    return Linear(_solved(vectors.T @ vectors, vectors.T @ (wanted - mean), ridge), mean)


def cross_fitted(vectors: Vectors, wanted: Matrix, folds: NDArray[np.int64], ridge: float = RIDGE) -> Matrix:
    """Scores of each row by weights that were fitted without its fold, (n, columns)."""
    gram = (vectors.T @ vectors).astype(np.float64)
    scores = np.empty(wanted.shape)
    for fold in np.unique(folds):
        held = folds == fold
        mean = wanted[~held].mean(axis=0)
        own = vectors[held]
        weights = _solved(gram - own.T @ own, vectors[~held].T @ (wanted[~held] - mean), ridge)
        scores[held] = own @ weights + mean
    return scores


def _solved(gram: Matrix, product: Matrix, ridge: float) -> Matrix:
    gram = gram.astype(np.float64)
    gram[np.diag_indices_from(gram)] += ridge
    return np.linalg.solve(gram, product.astype(np.float64))
