"""The n-gram index: windows, short texts, both scripts, confirmation on the text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from zhiling.text import ngrams
from zhiling.text.grams import Grams, text_grams
from zhiling.text.ngrams import NgramIndex
from zhiling.text.normalise import normalise

ENGLISH = "Give three tips for staying healthy and strong in the long dark winter months of the far north."
CHINESE = "给出三个保持健康的秘诀，均衡饮食，多吃水果和蔬菜，定期锻炼，保持身体活跃和强壮"


def index(*texts: str) -> NgramIndex:
    return NgramIndex.build(normalise(pl.Series(texts)))


def matches(made: NgramIndex, *texts: str) -> list[int]:
    return made.hits(normalise(pl.Series(texts))).match.tolist()


def test_a_stretch_inside_a_longer_text() -> None:
    text = normalise(pl.Series([f"Q: {ENGLISH[:80]} or not?"]))
    hits = index(CHINESE, ENGLISH).hits(text)
    assert hits.match.tolist() == [1]
    found = text[0].encode()[hits.start[0] : hits.stop[0]].decode()
    assert found == "give three tips for staying healthy and strong in the long dark winter"
    assert hits.covered.tolist() == [3 / 6]
    assert hits.share.tolist() == [3 / 6]


def test_chinese_needs_twenty_characters() -> None:
    made = index(ENGLISH, CHINESE)
    text = CHINESE.replace("，", "")
    assert matches(made, "好" + text[:20] + "吗", "好" + text[:19] + "吗") == [1, -1]


def test_twelve_words_are_too_few() -> None:
    words = ENGLISH.split()
    assert matches(index(ENGLISH), " ".join(words[:12]), " ".join(words[:13])) == [-1, 0]


def test_short_texts_match_when_equal() -> None:
    made = index("Short one", "短文", ENGLISH)
    assert matches(made, "short ONE!", "a short one", "短 文", "短文吗", "") == [0, -1, 1, -1, -1]


def test_the_reference_that_shares_most_is_named() -> None:
    other = ENGLISH.split(" in the ")[0] + " in the long dark winter of the south"
    assert matches(index(other, ENGLISH), ENGLISH, other) == [1, 0]


def test_nothing_to_match() -> None:
    assert matches(index("", "..."), ENGLISH, "") == [-1, -1]
    assert matches(NgramIndex.build(pl.Series([], dtype=pl.String)), ENGLISH) == [-1]
    assert matches(index(ENGLISH)) == []


def test_null_matches_nothing() -> None:
    hits = index(ENGLISH).hits(pl.Series([None, None], dtype=pl.String))
    assert hits.match.tolist() == [-1, -1]


def test_a_hash_collision_is_no_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hit is confirmed on the text: with all hashes alike nothing false is reported."""

    def colliding(text: pl.Series, size: int) -> Iterator[Grams]:
        return (Grams(np.zeros_like(made.hashes), made.offsets) for made in text_grams(text, size))

    monkeypatch.setattr(ngrams, "text_grams", colliding)
    assert matches(index(ENGLISH), "an entirely different text " * 6, ENGLISH) == [-1, 0]


def test_many_texts_in_blocks() -> None:
    texts = [f"{number} " + " ".join(f"w{number}x{word}" for word in range(30)) for number in range(5_000)]
    made = index(*texts[4_000:])
    assert matches(made, *texts) == [-1] * 4_000 + list(range(1_000))
