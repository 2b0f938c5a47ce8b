"""The n-gram index against a search for common word windows in plain Python."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from zhiling.text.ngrams import NgramIndex

texts = st.lists(st.sampled_from(["ab", "cd", "incomprehensible", "x", "你", "好"]), max_size=14).map(
    " ".join
)
SIZE, CHARACTERS = 3, 5


def windows(text: str, size: int) -> list[tuple[str, ...]]:
    tokens = text.split()
    return (
        [tuple(tokens[start : start + size]) for start in range(max(len(tokens) - size, 0) + 1)]
        if tokens
        else []
    )


def window_size(text: str) -> int:
    tokens = text.split()
    return CHARACTERS if 2 * sum(token in "你好" for token in tokens) > len(tokens) else SIZE


def shared(text: str, reference: str) -> bool:
    size = window_size(reference)
    return bool(set(windows(text, size)) & set(windows(reference, size)))


@given(st.lists(texts, max_size=5), st.lists(texts, max_size=5))
def test_a_match_is_reported_exactly_where_a_window_is_shared(rows: list[str], references: list[str]) -> None:
    made = NgramIndex.build(pl.Series(references, dtype=pl.String), size=SIZE, characters=CHARACTERS)
    hits = made.hits(pl.Series(rows, dtype=pl.String))
    for row, match in zip(rows, hits.match.tolist(), strict=True):
        possible = [number for number, reference in enumerate(references) if shared(row, reference)]
        assert (match in possible) if possible else match == -1


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, max_size=5))
def test_shares_lie_between_none_and_all(references: list[str], rows: list[str]) -> None:
    made = NgramIndex.build(pl.Series(references), size=SIZE, characters=CHARACTERS)
    hits = made.hits(pl.Series(rows, dtype=pl.String))
    for name in ("share", "covered"):
        values = getattr(hits, name)
        assert ((values > 0) == (hits.match >= 0)).all()
        assert (values <= 1).all()


@given(texts.filter(bool))
def test_a_reference_covers_itself(text: str) -> None:
    hits = NgramIndex.build(pl.Series([text])).hits(pl.Series([text]))
    assert (hits.match[0], hits.share[0], hits.covered[0]) == (0, 1.0, 1.0)
    assert (hits.start[0], hits.stop[0]) == (
        0,
        len(" ".join(text.split()[: 13 if window_size(text) == SIZE else 20]).encode()),
    )
