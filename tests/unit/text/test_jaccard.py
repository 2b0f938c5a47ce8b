"""Exact similarity and the exact join."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from zhiling.text.jaccard import Pairs, connected, jaccard, linked_pairs, similar_pairs
from zhiling.text.minhash import near_duplicates
from zhiling.text.shingles import Shingles, shingles


def of_sets(*rows: set[int]) -> Shingles:
    hashes = np.array([value for row in rows for value in sorted(row)], dtype=np.uint32)
    return Shingles(hashes, np.concatenate([[0], np.cumsum([len(row) for row in rows])]))


def test_jaccard_of_pairs() -> None:
    rows = of_sets({1, 2}, {2, 3}, {1, 2}, set(), {9})
    assert jaccard(rows, [0, 0, 0, 3, 0], [1, 2, 3, 3, 4]).tolist() == [1 / 3, 1, 0, 0, 0]


def test_no_pairs() -> None:
    assert jaccard(of_sets({1}), [], []).shape == (0,)


def test_threshold_is_reached_when_equal() -> None:
    rows = of_sets(set(range(9)), set(range(1, 10)))
    assert similar_pairs(rows, 0.8).jaccard.tolist() == [0.8]
    assert len(similar_pairs(rows, 0.8000001)) == 0


def test_rows_without_shingles_are_similar_to_none() -> None:
    assert len(similar_pairs(of_sets(set(), set(), {1}), 0.1)) == 0
    assert len(similar_pairs(of_sets(), 0.5)) == 0


@pytest.mark.parametrize("find", [similar_pairs, linked_pairs, near_duplicates])
def test_ten_thousand_equal_rows_are_linked_to_the_first(find: Callable[[Shingles, float], Pairs]) -> None:
    rows = shingles(pl.Series(["the same row of text again and again"] * 10_000))
    pairs = find(rows, 0.8)
    assert pairs.left.tolist() == [0] * 9_999
    assert pairs.right.tolist() == list(range(1, 10_000))
    assert (pairs.jaccard == 1).all()


def test_ten_thousand_alike_rows_are_connected_without_all_pairs() -> None:
    common = "please tell me where my order is because it has not come yet and i need it before"
    rows = shingles(pl.Series([f"{common} number{row}" for row in range(10_000)]))
    pairs = linked_pairs(rows, 0.8)
    assert len(pairs) < 20_000
    assert not connected(rows, 0.8).any()


def test_a_chain_is_one_component() -> None:
    rows = of_sets(*(set(range(start, start + 10)) for start in range(50)))
    assert not connected(rows, 0.8).any()
    assert len(similar_pairs(rows, 0.8)) == 49
