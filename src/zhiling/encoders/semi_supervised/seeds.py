"""What every method of few labels reads and gives: vectors with labels, and what rows without one get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Rows of length 1, shape (n, width)."""
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Seeds:
    """Labelled vectors; each class has at least one.

    Attributes:
        vectors: shape (n, width).
        numbers: of the classes, shape (n,).
        classes: how many there are.
    """

    vectors: Vectors
    numbers: Numbers
    classes: int

    def one_hot(self) -> NDArray[np.float32]:
        """1 at each seed's class, shape (n, classes)."""
        return np.eye(self.classes, dtype=np.float32)[self.numbers]

    def prototypes(self) -> Vectors:
        """The direction of each class's mean, shape (classes, width)."""
        return unit(self.one_hot().T @ self.vectors)


class Taught(NamedTuple):
    """What rows without a label are taken for."""

    numbers: Numbers
    """The class of each, shape (m,)."""
    weights: NDArray[np.float32]
    """What each counts beside a seed, in [0, 1], shape (m,)."""


def unit(vectors: NDArray[np.float32]) -> Vectors:
    """Rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows that sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def surest(posteriors: NDArray[np.float32]) -> Taught:
    """The most probable class of each row, weighted by its lead over the second.

    Anchors: weight 0 where two classes are equally probable, 1 where one has all probability.
    """
    ordered = np.partition(posteriors, -2, axis=1)
    return Taught(posteriors.argmax(axis=1), ordered[:, -1] - ordered[:, -2])
