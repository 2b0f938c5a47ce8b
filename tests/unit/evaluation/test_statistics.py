"""The bootstrap against theory: width, coverage, and chunks that change nothing but memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.evaluation import statistics
from zhiling.evaluation.metrics.accuracy import Accuracy
from zhiling.evaluation.metrics.labels import MacroF1
from zhiling.evaluation.statistics import Draw, mcnemar, paired_bootstrap


def drawn(rng: np.random.Generator, n: int, right: float) -> tuple[list[str], list[str]]:
    truth = ["a"] * n
    return truth, ["a" if hit else "b" for hit in rng.random(n) < right]


def test_the_width_is_that_of_the_normal_approximation() -> None:
    truth, predicted = drawn(np.random.default_rng(1), 400, 0.8)
    found = paired_bootstrap(Accuracy(), {"x": [predicted]}, truth, seed=0, resamples=4000).interval("x")
    expected = 1.96 * np.sqrt(found.mean * (1 - found.mean) / 400)
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.1)


def test_the_interval_covers_the_true_value_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(200):
        truth, predicted = drawn(rng, 150, 0.7)
        found = paired_bootstrap(Accuracy(), {"x": [predicted]}, truth, seed=trial, resamples=400).interval(
            "x"
        )
        covered += found.low <= 0.7 <= found.high
    assert 180 <= covered <= 199


def test_seeds_that_disagree_widen_the_interval() -> None:
    truth, good = drawn(np.random.default_rng(3), 300, 0.9)
    bad = ["b"] * 60 + good[60:]
    same, mixed = (
        paired_bootstrap(Accuracy(), {"x": seeds}, truth, seed=0).interval("x")
        for seeds in ([good, good, good], [good, good, bad])
    )
    assert mixed.high - mixed.low > 1.5 * (same.high - same.low)


def test_pairing_narrows_a_difference() -> None:
    truth, first = drawn(np.random.default_rng(4), 300, 0.7)
    second = ["a"] * 15 + first[15:]
    found = paired_bootstrap(Accuracy(), {"x": [first], "y": [second]}, truth, seed=0)
    alone = found.interval("x")
    together = found.difference("y", "x")
    assert together.high - together.low < (alone.high - alone.low) / 2


@pytest.mark.parametrize("metric", [Accuracy(), MacroF1()])
def test_memory_chunks_keep_the_point_and_the_number_of_draws(
    monkeypatch: pytest.MonkeyPatch, metric: Accuracy | MacroF1
) -> None:
    truth, predicted = drawn(np.random.default_rng(5), 50, 0.6)
    whole = paired_bootstrap(metric, {"x": [predicted]}, truth, seed=0)
    monkeypatch.setattr(statistics, "NUMBERS_PER_CHUNK", 1000)
    parts = paired_bootstrap(metric, {"x": [predicted]}, truth, seed=0)
    assert parts.points == whole.points
    assert np.array_equal(parts.draws["x"], whole.draws["x"])


def test_one_row_is_a_point() -> None:
    found = paired_bootstrap(Accuracy(), {"x": [["a"]]}, ["a"], seed=0).interval("x")
    assert (found.mean, found.low, found.high) == (1, 1, 1)


def test_a_score_of_no_rows_is_undefined() -> None:
    with pytest.raises(ValueError, match="accuracy of no rows is undefined"):
        Accuracy().score([], [])


def test_the_clustered_interval_covers_where_rows_of_a_group_agree() -> None:
    rng = np.random.default_rng(6)
    covered = {"rows": 0, "groups": 0}
    for trial in range(100):
        right = np.repeat(rng.random(40) < 0.7, 10)
        truth, predicted = ["a"] * 400, ["a" if hit else "b" for hit in right]
        for name, groups in (("rows", None), ("groups", [str(number // 10) for number in range(400)])):
            found = paired_bootstrap(
                Accuracy(), {"x": [predicted]}, truth, seed=trial, resamples=300, groups=groups
            ).interval("x")
            covered[name] += found.low <= 0.7 <= found.high
    assert covered["groups"] >= 88
    assert covered["rows"] <= 65


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(1, 9, 0.021484375), (9, 1, 0.021484375), (0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (2, 0, 0.5)],
)
def test_mcnemar_at_its_anchors(only_first: int, only_second: int, p: float) -> None:
    first = [True] * only_first + [False] * only_second + [True] * 7
    second = [False] * only_first + [True] * only_second + [True] * 7
    found = mcnemar(first, second)
    assert (found.arm_only, found.other_only, found.p) == (only_first, only_second, p)


def test_mcnemar_equals_the_librarys_binomial_test_for_many_rows() -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = [True] * 900 + [False] * 1000, [False] * 900 + [True] * 1000
    assert mcnemar(first, second).p == pytest.approx(stats.binomtest(900, 1900).pvalue)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=30), st.integers(0, 99))
def test_rows_of_a_group_are_drawn_equally_often_and_as_many_groups_as_there_are(
    groups: list[str], seed: int
) -> None:
    draw = Draw(len(groups), seed, 20, groups)
    rng, _ = draw.seeds({1})
    for weights in draw.weights(rng):
        for resample in weights:
            per_group = {group: resample[place] for place, group in enumerate(groups)}
            assert all(per_group[group] == weight for group, weight in zip(groups, resample, strict=True))
            assert sum(per_group.values()) == len(per_group)
