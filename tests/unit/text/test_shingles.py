"""Shingles: sets per row, whole short rows, blocks."""

from __future__ import annotations

import numpy as np
import polars as pl

from zhiling.text.shingles import Shingles, shingles


def sets(made: Shingles) -> list[set[int]]:
    return [set(made.hashes[a:b].tolist()) for a, b in zip(made.offsets[:-1], made.offsets[1:], strict=True)]


def test_sizes() -> None:
    made = shingles(pl.Series(["a b c d e f", "a b", "", "一二三四五六七", "a a a a a a a", None]))
    assert made.sizes.tolist() == [2, 1, 0, 3, 1, 0]
    assert len(made) == 6


def test_a_short_row_is_one_shingle_of_its_own() -> None:
    made = sets(shingles(pl.Series(["a b", "a b c", "a b", "a b c d e", "b a"])))
    assert made[0] == made[2]
    assert len(set.union(*made)) == 4


def test_a_row_is_the_same_in_any_block() -> None:
    text = [f"word{number} " * (number % 40) + f"行{number}的文字在这里" for number in range(30_000)]
    together = sets(shingles(pl.Series(text)))
    apart = sets(shingles(pl.Series(text[29_000:])))
    assert together[29_000:] == apart


def test_sets_are_ascending_and_distinct() -> None:
    made = shingles(
        pl.Series(["to be or not to be or not to be or not", "x y z", "是不是是不是是不是"]), size=2
    )
    assert made.hashes.dtype == np.uint32
    for low, high in zip(made.offsets[:-1], made.offsets[1:], strict=True):
        assert (np.diff(made.hashes[low:high].astype(np.int64)) > 0).all()


def test_characters_are_code_points() -> None:
    assert shingles(pl.Series(["abcdef", "日本語です。", "ab"]), unit="character").sizes.tolist() == [2, 2, 1]


def test_no_rows() -> None:
    made = shingles(pl.Series([], dtype=pl.String))
    assert len(made) == 0
    assert made.offsets.tolist() == [0]


def test_take_gives_rows_in_the_asked_order() -> None:
    made = shingles(pl.Series(["a b c d e f", "", "一二三四五六七"]))
    assert sets(made.take(np.array([2, 1, 0, 2]))) == [sets(made)[row] for row in (2, 1, 0, 2)]
