"""From a recipe's section to an encoder, and several encoders joined."""

from __future__ import annotations

import numpy as np
import pytest

from zhiling.encoders.build import build_encoder
from zhiling.encoders.encoder import unit_rows
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UnknownName, UsageError, ZhilingError


def test_use_names_the_encoder() -> None:
    assert build_encoder({"use": "hashing", "buckets": 64}) == HashingEncoder(buckets=64)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'hashing'"):
        build_encoder({"use": "hashin"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs the key 'use'"),
        ({"use": "hashing", "bucket": 3}, "bucket: .*got 3.*\n.*buckets, shortest, longest"),
        ({"use": "joined", "parts": [{"use": "hashing"}]}, "at least 2"),
    ],
)
def test_wrong_settings_say_what_is_allowed(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_encoder(settings, place="recipe.yaml:4:1")


def test_joined_cosine_is_the_mean_of_the_parts() -> None:
    parts = [{"use": "hashing", "buckets": 64}, {"use": "hashing", "buckets": 1024}]
    joined = build_encoder({"use": "joined", "parts": parts})
    texts = ["reset my password", "reset the parcel", ""]
    vectors = joined.encode(texts)
    assert vectors.shape == (3, joined.dimension) == (3, 1088)
    cosines = [build_encoder(part).encode(texts) for part in parts]
    assert vectors[0] @ vectors[1] == pytest.approx(
        np.mean([each[0] @ each[1] for each in cosines]), abs=1e-6
    )
    assert not vectors[2].any()


def test_joined_identity_follows_its_parts() -> None:
    first, second, other = ({"use": "hashing", "buckets": size} for size in (64, 128, 256))
    identities = {
        build_encoder({"use": "joined", "parts": parts}).identity
        for parts in ([first, second], [second, first], [first, other])
    }
    assert len(identities) == 3


def test_unit_rows_anchor() -> None:
    assert unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]), "here") == pytest.approx(
        np.array([[0.6, 0.8], [0, 0]])
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_unit_rows_refuse_what_is_not_finite(value: float) -> None:
    with pytest.raises(ZhilingError, match="here: text number 1 got a vector with NaN"):
        unit_rows(np.array([[1.0, 0.0], [value, 0.0]]), "here")
