"""A score held against length: the share of pairs it gets right, all pairs and those of like length."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.curation.length_matched import length_matched, length_matched_pairs, rank_correlation

ROW = st.tuples(st.integers(0, 6), st.integers(1, 40), st.booleans())


def columns(rows: list[tuple[int, int, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, lengths, better = zip(*rows, strict=True)
    return np.array(scores, dtype=float), np.array(lengths, dtype=float), np.array(better)


@given(st.lists(ROW, min_size=1, max_size=40))
def test_shares_are_those_of_all_pairs_counted_one_by_one(rows: list[tuple[int, int, bool]]) -> None:
    scores, lengths, better = columns(rows)
    found = length_matched(scores, lengths, better)
    pairs = [(g, b) for g in np.flatnonzero(better) for b in np.flatnonzero(~better)]
    alike = [(g, b) for g, b in pairs
             if 10 * min(lengths[g], lengths[b]) >= 9 * max(lengths[g], lengths[b])]  # fmt: skip

    def share(of: list[tuple[int, int]], values: np.ndarray) -> float:
        return sum((values[g] > values[b]) + (values[g] == values[b]) / 2 for g, b in of) / max(len(of), 1)

    assert (found.pairs, found.matched_pairs) == (len(pairs), len(alike))
    if pairs:
        assert found.share == pytest.approx(share(pairs, scores))
        assert found.longer == pytest.approx(share(pairs, lengths))
    assert math.isnan(found.matched) if not alike else found.matched == pytest.approx(share(alike, scores))


def test_a_score_that_counts_words_is_found_out() -> None:
    generator = np.random.default_rng(0)
    better = np.arange(400) % 2 == 0
    lengths = generator.integers(20, 200, 400).astype(float) + 60 * better
    found = length_matched(lengths + generator.normal(0, 1, 400), lengths, better)
    assert found.share > 0.65
    assert found.matched == pytest.approx(0.5, abs=0.06)
    assert found.correlation > 0.99
    assert found.longer == pytest.approx(found.share, abs=0.01)


def test_given_pairs() -> None:
    better = np.array([3.0, 1.0, 2.0, 5.0]), np.array([100.0, 10.0, 90.0, 7.0])
    worse = np.array([1.0, 1.0, 3.0, 4.0]), np.array([50.0, 10.0, 100.0, 8.0])
    found = length_matched_pairs(better, worse)
    assert found.share == pytest.approx(2.5 / 4)
    assert found.matched == pytest.approx(0.5 / 2)
    assert (found.pairs, found.matched_pairs) == (4, 2)
    assert found.longer == pytest.approx(1.5 / 4)


def test_one_value_or_no_pair_gives_no_figure() -> None:
    ones = np.ones(3)
    assert math.isnan(rank_correlation(ones, np.arange(3.0)))
    assert math.isnan(length_matched(ones, ones, np.ones(3, dtype=bool)).share)
    assert math.isnan(length_matched_pairs((ones[:0], ones[:0]), (ones[:0], ones[:0])).share)
    assert rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([5.0, 6.0, 7.0])) == pytest.approx(1)
