"""Exact limits against known values, and the promise of the certified threshold in a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.workflow.calibrate.bounds import Share, certify, fewest, lower_limit, tail, upper_limit


def test_limits_of_faultless_counts_have_a_closed_form() -> None:
    assert lower_limit(59, 59, 0.95) == pytest.approx(0.05 ** (1 / 59))
    assert upper_limit(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert fewest(0.95, 0.95) == 59
    assert lower_limit(0, 10, 0.95) == 0.0
    assert upper_limit(10, 10, 0.95) == 1.0
    assert (lower_limit(0, 0, 0.95), upper_limit(0, 0, 0.95)) == (0.0, 1.0)


def test_tail_is_the_binomial_one() -> None:
    assert tail(2, 3, 0.5) == pytest.approx(0.5)
    assert tail(1, 2, 0.1) == pytest.approx(0.19)
    assert tail(900, 1000, 0.95) == pytest.approx(1.0)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_share_lies_between_its_limits(counts: tuple[int, int], confidence: float) -> None:
    count, n = counts
    share = Share.of(count, n, confidence)
    assert share.value is not None
    assert 0 <= share.low <= share.value <= share.high <= 1
    if count > 0:
        assert tail(count, n, share.low) == pytest.approx(1 - confidence, abs=1e-6)


def test_the_walk_ends_at_the_first_failure() -> None:
    chosen = [(5, 5), (60, 60), (100, 121), (150, 180), (160, 201)]
    judged = [(5, 5), (60, 60), (120, 121), (150, 180), (200, 201)]
    assert certify(chosen, judged, 0.95, 0.95) == 2, "the fourth fails, so the fifth is never asked"
    assert certify(chosen, [(60, 60), (50, 70), *judged[2:]], 0.95, 0.95) is None, "it begins at the second"
    assert certify(chosen, [(1, 2)] * 5, 0.95, 0.95) is None
    assert certify([], [], 0.95, 0.95) is None


def test_a_promise_is_broken_as_rarely_as_said() -> None:
    """Noisy scores: how often the true precision lies below the one promised."""
    draw = np.random.default_rng(3)
    edges = np.linspace(3, -3, 40)
    large = draw.normal(size=200_000)
    chance = 1 / (1 + np.exp(-2 * large))
    true = np.array([chance[large > edge].mean() for edge in edges])
    broken = promised = 0
    for _ in range(300):
        scores = draw.normal(size=400)
        bad = draw.random(400) < 1 / (1 + np.exp(-2 * scores))
        parts = [
            [
                (int((bad[half] & (scores[half] > edge)).sum()), int((scores[half] > edge).sum()))
                for edge in edges
            ]
            for half in (slice(0, 200), slice(200, 400))
        ]
        place = certify(parts[0], parts[1], 0.85, 0.8)
        promised += place is not None
        broken += place is not None and true[place] < 0.85
    assert promised > 100, "else nothing was shown"
    assert broken / 300 <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 300)
