"""Distances between what is learnt from and what is met: anchors, bounds, and what two languages give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from zhiling.encoders.hashing import HashingEncoder
from zhiling.training.transfer.distance import (
    Transfer,
    jensen_shannon,
    measure,
    proxy_a_distance,
    unknown_shares,
)

pytest.importorskip("sklearn")

ENGLISH = [f"where is my parcel number {number} and when will it come" for number in range(40)]
CHINESE = [f"我的快递{number}号到哪里了，什么时候能送到" for number in range(40)]

counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1)


def test_anchors_of_the_divergence() -> None:
    assert jensen_shannon({"a": 3}, {"a": 9}) == 0
    assert jensen_shannon({"a": 3}, {"b": 1}) == 1
    half = jensen_shannon({"a": 1}, {"a": 1, "b": 1})
    assert math.isclose(half, 0.75 * math.log2(4 / 3) + 0.25 * 2 - 0.5, abs_tol=1e-12)


@bounded(deadline=None)
@given(counts, counts)
def test_the_divergence_is_symmetric_and_bounded(one: dict[str, int], other: dict[str, int]) -> None:
    found = jensen_shannon(one, other)
    assert 0 <= found <= 1
    assert math.isclose(found, jensen_shannon(other, one), abs_tol=1e-12)


def test_vectors_that_stand_apart_are_two_away_and_equal_ones_are_near() -> None:
    draws = np.random.default_rng(0)
    one, other = (draws.normal(size=(200, 4)).astype(np.float32) for _ in range(2))
    assert proxy_a_distance(one, other + 20) == 2
    assert proxy_a_distance(one, other) < 0.3


def test_another_language_is_far_and_rows_of_one_set_are_not() -> None:
    encode = HashingEncoder().encode
    same = measure(ENGLISH[:30], ENGLISH[30:], ["en"] * 10, encode=encode)
    far = measure(ENGLISH, CHINESE, ["zh"] * 40, encode=encode)
    assert same is not None
    assert far is not None
    assert not same.far
    assert far.far
    assert same.words < far.words
    assert far.unseen > 0.8
    assert far.encoder is not None
    assert far.encoder > 1.8
    assert Transfer(**far.as_json()).as_json() == far.as_json()
    assert "of the target's words unseen" in str(far)
    assert measure(["one"], ["two"], ["en"]) is None


def test_unknown_tokens_are_told_by_language() -> None:
    class Letters:
        unk_token_id = 0

        def __call__(self, texts: list[str], **_: object) -> dict[str, list[list[int]]]:
            return {"input_ids": [[int(letter.isascii()) for letter in text] for text in texts]}

    assert unknown_shares(Letters(), ["card", "快递a", ""], ["en", "zh", "und"]) == {
        "en": 0.0,
        "und": 0.0,
        "zh": 2 / 3,
    }
