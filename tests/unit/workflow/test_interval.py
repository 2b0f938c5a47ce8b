"""Intervals: sums and products keep their order, and the mean of further values lies within."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.workflow.interval import NOTHING, Interval, _student, mean_of

ends = st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(sorted)


@given(ends, ends)
def test_sums_and_products_stay_in_order(first: list[float], second: list[float]) -> None:
    one, other = Interval(*first), Interval(*second)
    for made in (one.plus(other), one.times(*other.ends), one.plus(NOTHING)):
        assert made.low <= made.likely <= made.high


def test_students_points_are_those_of_the_tables() -> None:
    tables = {1: 63.657, 2: 9.925, 5: 4.032, 6: 3.707, 8: 3.355, 10: 3.169, 20: 2.845, 60: 2.660, 1000: 2.581}
    for freedom, point in tables.items():
        assert _student(freedom) == pytest.approx(point, abs=0.03)


def test_of_equal_values_only_the_drift_is_left() -> None:
    assert mean_of([10, 10], 5).ends == pytest.approx((8.696, 10, 11.5), abs=0.001)


@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_the_mean_of_further_values_lies_within_nine_times_of_ten(spread: float) -> None:
    draw = random.Random(4)
    held = 0
    for _ in range(300):
        values = [draw.lognormvariate(5, spread) for _ in range(108)]
        interval = mean_of(values[:8], 100)
        held += interval.low <= sum(values[8:]) / 100 <= interval.high
    assert held >= 270
