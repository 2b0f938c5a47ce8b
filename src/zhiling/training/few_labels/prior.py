"""How frequent each class is among rows without a label: estimated, never assumed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ROUNDS = 20
PSEUDO_ROWS = 5.0
"""Rows that every class is given beforehand: no class is ever ruled out by a handful of texts."""


class Adjusted(NamedTuple):
    """Posteriors under an estimated prior."""

    posteriors: NDArray[np.float32]
    """Shape (n, classes), rows sum to 1."""
    prior: NDArray[np.float32]
    """Shape (classes,), sums to 1."""


def adjust(posteriors: NDArray[np.float32], *, pseudo_rows: float = PSEUDO_ROWS) -> Adjusted:
    """The posteriors that fit the rows' own prior, by expectation and maximisation.

    pᵢₖ' ∝ pᵢₖ πₖ, πₖ = (Σᵢ pᵢₖ' + a) / (n + a K), in turns. Anchor: posteriors that are 0 or 1 stay, and the
    prior is their share of the rows where a = 0.

    Args:
        posteriors: under equal priors, float32, shape (n, classes), rows sum to 1.
        pseudo_rows: a, at least 0.

    Source: Saerens, Latinne and Decaestecker 2002, Adjusting the Outputs of a Classifier to New a Priori
    Probabilities, equation 2.9. Deviation: the rows given to every class (a Dirichlet prior).
    """
    rows, classes = posteriors.shape
    prior = np.full(classes, 1 / classes, dtype=np.float32)
    found = posteriors
    for _ in range(ROUNDS):
        found = posteriors * prior
        found = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-30)
        prior = ((found.sum(axis=0) + pseudo_rows) / (rows + pseudo_rows * classes)).astype(np.float32)
    return Adjusted(found, prior)
