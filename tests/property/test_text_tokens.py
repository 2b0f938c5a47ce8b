"""Tokens and shingles against a plain Python reference, on mixed scripts."""

from __future__ import annotations

import unicodedata
from random import Random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from zhiling.text.shingles import Shingles, shingles
from zhiling.text.tokens import token_counts

WORDS = "abz09éßøжλשנمعहन"
MARKS = "\u0301\u05b8\u0941"
SINGLES = "你好世かなカ한글กข😀→€"
SEPARATORS = " .,!\n\t。，、…+=$-"
texts = st.text(alphabet=WORDS + MARKS + SINGLES + SEPARATORS, max_size=60)


def reference_tokens(text: str) -> list[str]:
    """The tokens by the words of the definition, a character at a time."""
    found: list[str] = []
    before = "separator"
    for character in text:
        kind = "word"
        if character in SEPARATORS:
            kind = "separator"
        elif character in SINGLES:
            kind = "single"
        elif unicodedata.category(character).startswith("M") and before != "separator":
            kind = "mark"
        if kind == "single" or (kind == "word" and before in {"separator", "single"}):
            found.append(character)
        elif kind != "separator":
            found[-1] += character
        before = "word" if kind == "mark" else kind
    return [piece for token in found for piece in cut(token)]


def cut(token: str) -> list[str]:
    """Pieces of 64 bytes; one character a byte, so that a piece can end within a character."""
    raw = token.encode()
    return [raw[start : start + 64].decode("latin-1") for start in range(0, len(raw), 64)]


def reference_sets(rows: list[str], size: int) -> list[set[tuple[str, ...]]]:
    made: list[set[tuple[str, ...]]] = []
    for row in rows:
        tokens = reference_tokens(row)
        last = max(len(tokens) - size, 0) if tokens else -1
        made.append({tuple(tokens[start : start + size]) for start in range(last + 1)})
    return made


def sets(made: Shingles) -> list[set[int]]:
    return [set(made.hashes[a:b].tolist()) for a, b in zip(made.offsets[:-1], made.offsets[1:], strict=True)]


@given(st.lists(texts, max_size=6))
def test_counts(rows: list[str]) -> None:
    expected = [len(reference_tokens(row)) for row in rows]
    assert token_counts(pl.Series(rows, dtype=pl.String)).to_list() == expected


@given(st.lists(texts, min_size=2, max_size=6), st.integers(1, 6))
def test_shingles_are_equal_exactly_where_token_windows_are(rows: list[str], size: int) -> None:
    made = sets(shingles(pl.Series(rows), size=size))
    expected = reference_sets(rows, size)
    assert [len(row) for row in made] == [len(row) for row in expected]
    for first in range(len(rows)):
        for second in range(first):
            assert len(made[first] & made[second]) == len(expected[first] & expected[second])


@given(st.lists(st.text(max_size=30), min_size=2, max_size=6), st.integers(1, 6))
def test_character_shingles(rows: list[str], size: int) -> None:
    made = sets(shingles(pl.Series(rows), size=size, unit="character"))
    expected = [
        {row[a : a + size] for a in range(max(len(row) - size, 0) + 1)} if row else set() for row in rows
    ]
    assert [len(row) for row in made] == [len(row) for row in expected]
    assert len(made[0] & made[1]) == len(expected[0] & expected[1])


@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_text_has_tokens_or_none_and_nothing_fails(rows: list[str]) -> None:
    counts = token_counts(pl.Series(rows, dtype=pl.String))
    made = shingles(pl.Series(rows, dtype=pl.String))
    assert [count > 0 for count in counts] == [size > 0 for size in made.sizes.tolist()]


@given(st.lists(texts, min_size=1, max_size=6), st.randoms())
def test_a_row_is_the_same_in_any_order(rows: list[str], random: Random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    made = sets(shingles(pl.Series(rows)))
    assert sets(shingles(pl.Series([rows[row] for row in order]))) == [made[row] for row in order]


def test_a_megabyte_without_a_space() -> None:
    assert token_counts(pl.Series(["ab" * 500_000])).to_list() == [15_625]
    assert shingles(pl.Series(["你" * 333_333])).sizes.tolist() == [1]


def test_addresses_and_right_to_left_text() -> None:
    rows = pl.Series(["https://a.example/b?c=1#d", "مرحبا بالعالم", "👩\u200d👩\u200d👧"])
    assert token_counts(rows).to_list() == [7, 2, 3]
