"""Label noise: the share of wrong labels and their kind are found from scores and given labels alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from zhiling.curation.cross_fitting import softmax
from zhiling.curation.label_noise import beliefs

pytest.importorskip("sklearn")

LABELS, ROWS = 12, 1500
Arrays = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def simulated(share: float, *, spread: bool, seed: int = 0) -> Arrays:
    """Scores, true and given labels: errors to any label, or to the right neighbour."""
    draws = np.random.default_rng(seed)
    truth = draws.integers(0, LABELS, ROWS)
    scores = np.eye(LABELS)[truth] * draws.uniform(0.1, 0.9, (ROWS, 1))
    scores[np.arange(ROWS), (truth + 1) % LABELS] += draws.uniform(0, 0.3, ROWS)  # a label easily confused
    scores += draws.normal(0, 0.04, scores.shape)
    step = draws.integers(1, LABELS, ROWS) if spread else 1
    given = np.where(draws.random(ROWS) < share, (truth + step) % LABELS, truth)
    return scores, truth, given


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_as_many_rows_are_doubted_as_are_wrong_and_they_are_the_wrong_ones(
    share: float, *, spread: bool
) -> None:
    scores, truth, given = simulated(share, spread=spread)
    found = beliefs(scores, given)
    doubted = found.right < 0.5
    assert 1 - found.right.mean() == pytest.approx((given != truth).mean(), abs=0.06)
    assert (given != truth).mean() * 0.7 < doubted.mean() < (given != truth).mean() + 0.02
    assert (given != truth)[doubted].mean() > 0.8
    assert (found.by_text.argmax(axis=1) == truth)[doubted].mean() > 0.8


def test_where_no_label_is_wrong_hardly_any_is_doubted() -> None:
    scores, truth, _ = simulated(0, spread=True)
    assert (beliefs(scores, truth).right < 0.5).mean() < 0.01


def test_errors_between_two_labels_are_ranked_better_than_by_the_score_of_the_label_alone() -> None:
    scores, truth, given = simulated(0.15, spread=False)
    wrong = given != truth
    lines = np.arange(ROWS)
    ours = beliefs(scores, given).right
    alone = softmax(scores / 0.1)[lines, given]
    count = int(wrong.sum())
    assert wrong[ours.argsort()[:count]].mean() > wrong[alone.argsort()[:count]].mean() + 0.02


@settings(max_examples=10, deadline=None)
@drawn(st.integers(0, 10_000), st.integers(2, 5), st.integers(4, 40))
def test_probabilities_follow_their_rows_and_labels(seed: int, labels: int, rows: int) -> None:
    draws = np.random.default_rng(seed)
    scores, given = draws.normal(0.2, 0.5, (rows, labels)), draws.integers(0, labels, rows)
    found = beliefs(scores, given)
    assert ((found.right >= 0) & (found.right <= 1)).all()
    assert found.by_text.sum(axis=1) == pytest.approx(1)
    order, names = draws.permutation(rows), draws.permutation(labels)
    moved = beliefs(scores[order][:, names], names.argsort()[given[order]])
    assert moved.right == pytest.approx(found.right[order], abs=1e-9)
    assert moved.by_text == pytest.approx(found.by_text[order][:, names], abs=1e-9)


def test_equal_scores_keep_every_label() -> None:
    given = np.arange(20) % 4
    assert (beliefs(np.full((20, 4), 0.25), given).right > 0.5).all()
