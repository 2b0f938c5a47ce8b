"""Components of pairs."""

from __future__ import annotations

import numpy as np

from zhiling.text.union_find import components


def test_smallest_row_is_the_label() -> None:
    assert components(4, [1], [3]).tolist() == [0, 1, 2, 1]
    assert components(5, [4, 3], [3, 1]).tolist() == [0, 1, 2, 1, 1]


def test_no_pairs_and_no_rows() -> None:
    assert components(3, [], []).tolist() == [0, 1, 2]
    assert components(0, [], []).tolist() == []


def test_a_long_chain_in_the_worst_order() -> None:
    rows = np.arange(100_000)
    assert not components(100_001, rows[::-1], rows[::-1] + 1).any()
