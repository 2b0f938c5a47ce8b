"""Tokens: counts by script, hashes that depend on the token only."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from zhiling.text.tokens import token_count, token_counts, tokenise


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("hello, world", 2),
        ("你好世界", 4),
        ("", 0),
        (" . ", 0),
        ("a😀b 안녕x 1", 7),
        ("x" * 130, 3),
        ("Python 3 入门", 4),
        ("été naïve", 2),
        ("שלום עולם", 2),
        ("สวัสดี", 4),
        ("हिन्दी भाषा", 2),
        ("c++ a=b", 3),
        ("カタカナー", 5),
    ],
)
def test_count(text: str, count: int) -> None:
    assert token_counts(pl.Series([text])).to_list() == [count]


def test_expression() -> None:
    frame = pl.DataFrame({"text": ["one two", "三个字", None]})
    assert frame.select(token_count("text")).to_series().to_list() == [2, 3, 0]
    assert frame.lazy().select(token_count(pl.col("text"))).collect().schema == {"text": pl.UInt32}


def hashes(*texts: str) -> list[list[int]]:
    found = [
        block.hashes[low:high].tolist()
        for block in tokenise(pl.Series(texts))
        for low, high in zip(block.offsets[:-1], block.offsets[1:], strict=True)
    ]
    assert len(found) == len(texts)
    return found


def test_a_hash_depends_on_the_token_only() -> None:
    first, second = hashes("alpha incomprehensibilities 中", "中 incomprehensibilities, alpha")
    assert first == second[::-1]
    assert len(set(first)) == 3


def test_tokens_end_with_their_row() -> None:
    assert hashes("ab", "cd") != hashes("abc", "d")
    assert hashes("ab", "", "cd")[0::2] == hashes("ab", "cd")


def test_bytes_beyond_the_eighth_count() -> None:
    (words,) = hashes(" ".join(["a" * length for length in range(1, 60)]))
    assert len(set(words)) == 59
    assert hashes("internationalA") != hashes("internationalB")


def test_no_collisions_among_many_words() -> None:
    (words,) = hashes(" ".join(str(number) for number in range(200_000)))
    assert len(np.unique(words)) == 200_000
