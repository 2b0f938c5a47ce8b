"""Containment and short texts against plain Python."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.text.containment import LEAST_SHARED, ContainmentIndex
from zhiling.text.normalise import normalise
from zhiling.text.short_texts import ShortTexts
from zhiling.text.tokens import token_counts

TOKENS = st.sampled_from(["ab", "cd", "ef", "x", "你", "好", "吗"])
TEXTS = st.lists(st.lists(TOKENS, max_size=24).map(" ".join), max_size=6)


def series(texts: list[str]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String)


def grams(text: str, size: int) -> set[tuple[str, ...]]:
    tokens = text.split()
    last = max(len(tokens) - size, 0) + 1 if tokens else 0
    return {tuple(tokens[start : start + size]) for start in range(last)}


def unspaced(text: str) -> bool:
    tokens = text.split()
    return 2 * sum(token in "你好吗" for token in tokens) > len(tokens)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.2, 0.4, 0.7, 1.0]))
def test_containment_is_a_plain_count(references: list[str], texts: list[str], least: float) -> None:
    found = ContainmentIndex.build(series(references), 2, 3).find(series(texts), least)
    for text, match, covered in zip(texts, found.match.tolist(), found.covered.tolist(), strict=True):
        shares = []
        for reference in references:
            size = 3 if unspaced(reference) else 2
            own = grams(reference, size)
            shared = own & grams(text, size)
            share = len(shared) / max(len(own), 1)
            shares.append(share if len(shared) >= LEAST_SHARED and share >= least else 0.0)
        best = max(shares, default=0.0)
        assert covered == best
        assert (shares[match] == best) if best else (match == -1)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 1.0]))
def test_short_texts_stand_whole_in_what_they_match(
    references: list[str], texts: list[str], share: float
) -> None:
    index = ShortTexts(series(references), (2, 3), (5, 6))
    found = index.find(series(texts), token_counts(series(texts)).to_numpy().astype("int64"), share)
    for text, match, covered in zip(texts, found.match.tolist(), found.covered.tolist(), strict=True):
        whole = f" {text} "
        possible = {}
        for place, reference in enumerate(references):
            size, low = len(reference.split()), 3 if unspaced(reference) else 2
            fits = low <= size <= low + 3 and size >= share * len(text.split())
            if fits and f" {reference} " in whole:
                possible[place] = size / len(text.split())
        assert (match in possible) if possible else match == -1
        assert covered == max(possible.values(), default=0.0)


def test_nothing_in_nothing() -> None:
    nothing = normalise(series([]))
    counts = token_counts(nothing).to_numpy().astype("int64")
    assert ShortTexts(nothing, (6, 10), (12, 19)).find(nothing, counts, 0.5).match.tolist() == []
    found = ContainmentIndex.build(series(["", "。"])).find(normalise(series(["hello", "", None or ""])), 0.4)
    assert found.match.tolist() == [-1, -1, -1]
