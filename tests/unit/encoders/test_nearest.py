"""Nearest rows by cosine: none is nearer than those found, in blocks as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from zhiling.encoders import nearest as module
from zhiling.encoders.nearest import nearest
from zhiling.encoders.semi_supervised.seeds import unit


@pytest.mark.parametrize("block", [7, 1024])
def test_neighbours_are_the_nearest(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block)
    vectors = unit(np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32))
    near, likeness = nearest(vectors, vectors, 3, apart=True)
    cosines = vectors @ vectors.T - 2 * np.eye(40)
    assert np.allclose(np.sort(likeness, axis=1), np.sort(cosines, axis=1)[:, -3:], atol=1e-6)
    assert all(row not in near[row] for row in range(40))
    assert np.allclose(np.take_along_axis(vectors @ vectors.T, near, axis=1), likeness, atol=1e-6)


def test_a_row_among_other_rows_may_be_its_own_nearest() -> None:
    vectors = np.eye(4, dtype=np.float32)
    near, likeness = nearest(vectors[:2], vectors, 1)
    assert near.ravel().tolist() == [0, 1]
    assert likeness.ravel().tolist() == [1, 1]
    assert nearest(vectors[:0], vectors, 2)[0].shape == (0, 2)
