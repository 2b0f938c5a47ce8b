"""Shares of a round: whole numbers, all of the round, more for generators that were useful."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zhiling.adversarial.bandit import EVEN, counts, shares


def mean_share(past: list[dict[str, tuple[int, int]]], name: str) -> float:
    return float(np.mean([shares(["a", "b"], past, np.random.default_rng(seed))[name] for seed in range(40)]))


def test_without_a_past_all_get_about_the_same() -> None:
    assert 0.4 < mean_share([], "a") < 0.6


def test_a_useful_generator_gets_more_and_the_other_one_keeps_its_part() -> None:
    past = [{"a": (100, 80), "b": (100, 5)}] * 2
    assert mean_share(past, "a") > 0.85
    assert shares(["a", "b"], past, np.random.default_rng(0))["b"] >= EVEN / 2


def test_a_generator_that_had_no_rows_is_as_good_as_unknown() -> None:
    assert mean_share([{"a": (0, 0), "b": (100, 5)}], "a") > 0.6


@given(st.dictionaries(st.text(min_size=1), st.floats(0.01, 1), min_size=1, max_size=6), st.integers(1, 500))
def test_counts_are_whole_and_sum_to_the_round(weights: dict[str, float], total: int) -> None:
    whole = sum(weights.values())
    found = counts({name: weight / whole for name, weight in weights.items()}, total)
    assert sum(found.values()) == total
    assert all(abs(found[name] - total * weights[name] / whole) < 1 for name in weights)
