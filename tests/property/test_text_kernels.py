"""The compiled kernels give bit for bit what numpy gives, for any text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.text import compiled
from zhiling.text import shingles as text_shingles
from zhiling.text.grams import text_grams
from zhiling.text.jaccard import jaccard
from zhiling.text.minhash import band_keys, meetings, near_duplicates
from zhiling.text.ngrams import NgramIndex
from zhiling.text.normalise import normalise
from zhiling.text.shingles import bags, shingles, text_bags

pytest.importorskip("numba", reason="the extra `fast` is not installed")

WORDS = [
    "the",
    "Quick",
    "FOX9",
    "naïve",
    "Straße",
    "ΣΑΣ",
    "Ϲ",
    "İ",
    "é",
    "e\u0301",
    "ﬁ",
    "①",
    "½",
    "ª",
    "ǅ",
    "Ⱥ",
]
SCRIPTS = ["退款", "，", "……", "《", "ｶﾞ", "が", "한국", "\u1112\u1161\u11ab", "ไทย", "١٢", "र्क", "𠀋", "𝐀"]
MARKS = ["👩\u200d💻", "❤\ufe0f", "\U0001f1e8\U0001f1f3", "\u0300", "\ue000", "\U000f0000", "\ufdfa", "\x00"]
BETWEEN = ["\u200b", "\u00a0", " ", "  ", "\n", "+", "$3", "-", "_"]
LONG = ["x" * 70, "é" * 40, "a" * 8, "b" * 9, "c" * 16, "d" * 64]
PIECES = st.sampled_from([*WORDS, *SCRIPTS, *MARKS, *BETWEEN, *LONG])
ANY = st.lists(PIECES, max_size=14).map("".join) | st.text(st.characters(codec="utf-8"), max_size=30)
TEXTS = st.lists(ANY | st.none(), max_size=8).map(lambda texts: pl.Series(texts, dtype=pl.String))


def both(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> tuple[Any, Any]:
    """What a call gives by numpy and by the kernels."""
    answers = []
    for least in (float("inf"), -1):
        monkeypatch.setattr(compiled, "PAYS_FROM_BYTES", least)
        assert (compiled.kernels(0) is None) == (least > 0)
        answers.append(call())
    return answers[0], answers[1]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_normal_form(texts: pl.Series) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plain, fast = both(patch, lambda: normalise(texts))
    assert plain.to_list() == fast.to_list()


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(1, 20), st.booleans())
def test_windows_of_any_text(texts: pl.Series, size: int, raw: bool) -> None:
    texts = texts if raw else normalise(texts)

    def windows() -> list[list[int]]:
        made = list(text_grams(texts, size))
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *(each.hashes for each in made)])
        counts = np.concatenate([np.empty(0, dtype=np.int64), *(np.diff(each.offsets) for each in made)])
        return [hashes.tolist(), counts.tolist()]

    with pytest.MonkeyPatch.context() as patch:
        plain, fast = both(patch, windows)
    assert plain == fast


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(1, 7), st.sampled_from([1, 40, 1 << 19]))
def test_bags_of_texts_as_they_are(texts: pl.Series, size: int, block_bytes: int) -> None:
    wanted = bags(normalise(texts), size)

    def made() -> list[list[int]]:
        parts = list(text_bags(texts, size))
        hashes = np.concatenate([np.empty(0, dtype=np.uint32), *(part.hashes for part in parts)])
        sizes = np.concatenate([np.empty(0, dtype=np.int64), *(part.sizes for part in parts)])
        return [hashes.tolist(), sizes.tolist()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_shingles, "_TEXT_BYTES", block_bytes)
        plain, fast = both(patch, made)
    assert plain == fast == [wanted.hashes.tolist(), wanted.sizes.tolist()]


def test_bytes_of_ascii_in_lower_case_and_every_length(monkeypatch: pytest.MonkeyPatch) -> None:
    every = "".join(map(chr, range(128)))
    runs = [("aB3" * 50)[:number] for number in range(140)]
    texts = [every, every * 3, *(run + end for run in runs for end in ("", " x", "é"))]
    plain, fast = both(monkeypatch, lambda: list(text_bags(pl.Series(texts), 2)))
    assert np.array_equal(plain[0].hashes, fast[0].hashes)
    assert np.array_equal(plain[0].offsets, fast[0].offsets)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=40), st.booleans())
def test_keys_that_repeat(numbers: list[int], spread: bool) -> None:
    keys = np.array(numbers, dtype=np.uint64) << np.uint64(61 if spread else 0)
    with pytest.MonkeyPatch.context() as patch:
        plain, fast = both(patch, lambda: meetings([keys[None, :]], np.arange(len(keys))))
    assert plain.row.tolist() == fast.row.tolist()
    assert plain.group.tolist() == fast.group.tolist()
    shared = {number for number in numbers if numbers.count(number) > 1}
    assert sorted(fast.row.tolist()) == [at for at, number in enumerate(numbers) if number in shared]


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]), st.integers(1, 3))
def test_band_keys_similarities_and_pairs(texts: pl.Series, threshold: float, size: int) -> None:
    sets = shingles(normalise(texts), size)
    rows = np.flatnonzero(sets.sizes)
    left, right = np.triu_indices(len(sets))
    with pytest.MonkeyPatch.context() as patch:
        plain, fast = both(patch, lambda: band_keys(sets, rows, threshold))
        assert np.array_equal(plain, fast)
        plain, fast = both(patch, lambda: jaccard(sets, left, right))
        assert np.array_equal(plain, fast)
        plain, fast = both(patch, lambda: near_duplicates(sets, threshold))
    assert plain.left.tolist() == fast.left.tolist()
    assert plain.right.tolist() == fast.right.tolist()


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_hits_of_the_ngram_index(references: pl.Series, texts: pl.Series) -> None:
    references, texts = normalise(references), normalise(texts)
    with pytest.MonkeyPatch.context() as patch:
        plain, fast = both(patch, lambda: NgramIndex.build(references, 4, 6).hits(texts))
    for name in ("match", "share", "covered", "start", "stop"):
        assert np.array_equal(getattr(plain, name), getattr(fast, name))


def test_every_character_folds_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [chr(point) for point in range(0x30000) if not 0xD800 <= point < 0xE000]
    texts = pl.Series([f"{one}A{one}{one} ,{one}b" for one in points])
    plain, fast = both(monkeypatch, lambda: normalise(texts))
    assert fast.filter(plain != fast).to_list() == []
    plain, fast = both(monkeypatch, lambda: shingles(texts, 2))
    assert np.array_equal(plain.hashes, fast.hashes)
    assert np.array_equal(plain.offsets, fast.offsets)


def test_little_text_does_not_pay_for_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_seen_bytes", 0)
    assert compiled.kernels(1_000) is None
    assert compiled.kernels(compiled.PAYS_FROM_BYTES) is not None
    assert compiled.kernels(1) is not None
