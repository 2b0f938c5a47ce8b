"""Vectors and shares for tests of selection."""

from __future__ import annotations

import numpy as np

from zhiling.curation.selection.choice import Shares, Vectors


def unit(height: int, dimension: int, seed: int = 0) -> Vectors:
    """Random directions: float32 (height, dimension), rows of length 1."""
    vectors = np.random.default_rng(seed).normal(size=(height, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def alone(height: int, size: int) -> Shares:
    """One stratum."""
    return Shares(np.zeros(height, dtype=np.int64), np.array([size]))
