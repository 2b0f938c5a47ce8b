"""Estimated class shares: probabilities stay probabilities, in any order of rows and names of classes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zhiling.encoders.semi_supervised.prior import adjust

SHRINKS = st.floats(0, 4)


@st.composite
def posteriors(draw: st.DrawFn) -> NDArray[np.float32]:
    """Rows that sum to 1, some of them without doubt."""
    rows, classes = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    draws = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    powers = draws.exponential(size=(rows, classes)) ** draw(st.sampled_from([0.1, 1, 4]))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@given(posteriors(), SHRINKS, st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_classes_decides_nothing(
    given_rows: NDArray[np.float32], shrink: float, seed: int
) -> None:
    draws = np.random.default_rng(seed)
    rows, classes = (draws.permutation(size) for size in given_rows.shape)
    found, other = adjust(given_rows, shrink=shrink), adjust(given_rows[rows][:, classes], shrink=shrink)
    assert np.allclose(found.posteriors.sum(axis=1), 1, atol=1e-4)
    assert np.isclose(found.prior.sum(), 1, atol=1e-4)
    assert np.allclose(other.prior, found.prior[classes], atol=1e-3)
    assert np.allclose(other.posteriors, found.posteriors[rows][:, classes], atol=1e-3)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), SHRINKS)
def test_rows_without_doubt_stay_and_their_shares_are_drawn_towards_equal_ones(
    numbers: list[int], shrink: float
) -> None:
    sure = np.eye(4, dtype=np.float32)[numbers]
    found = adjust(sure, shrink=shrink)
    assert np.array_equal(found.posteriors, sure)
    assert np.allclose(found.prior, (sure.mean(axis=0) + shrink / 4) / (1 + shrink), atol=1e-5)
