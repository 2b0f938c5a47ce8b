"""Diversity beside real samples: as diverse is 1, the same again and again is nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from zhiling.adversarial.guards.spread import Spread, spread
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import UsageError

WORDS = {
    "en": [f"{first}{last}" for first in "bcdfgklmnprst" for last in ("an", "el", "ir", "om", "ut")],
    "zh": [chr(0x4E00 + 7 * number) for number in range(65)],
}


def texts(language: str, count: int, seed: int) -> pl.Series:
    """Texts of eight random words."""
    rng = np.random.default_rng(seed)
    joint = " " if language == "en" else ""
    return pl.Series([joint.join(rng.choice(WORDS[language], size=8)) for _ in range(count)])


def measured(made: pl.Series, real: pl.Series) -> Spread:
    encoder = HashingEncoder(buckets=128)
    return spread(made, real, (encoder.encode(made.to_list()), encoder.encode(real.to_list())), seed=3)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_rows_as_diverse_as_real_ones(language: str) -> None:
    found = measured(texts(language, 300, 1), texts(language, 400, 2))
    assert found.rows == 300
    assert found.distinct.value == pytest.approx(1, abs=0.05)
    assert found.vendi is not None
    assert found.vendi.value == pytest.approx(1, abs=0.05)
    assert found.distinct.high > 0.8
    assert found.vendi.high > 0.9


@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_text_again_and_again(language: str) -> None:
    found = measured(pl.Series([texts(language, 1, 1)[0]] * 100), texts(language, 100, 2))
    assert found.distinct.high < 0.1
    assert found.vendi is not None
    assert found.vendi.high < 0.1


def test_sides_of_different_size_are_compared_at_one_size() -> None:
    """Ten times as many rows of the same kind are not less diverse."""
    found = spread(texts("en", 1000, 1), texts("en", 100, 2))
    assert found.rows == 100
    assert found.distinct.value == pytest.approx(1, abs=0.05)
    assert found.vendi is None


def test_equal_seeds_give_equal_figures() -> None:
    made, real = texts("en", 60, 1), texts("en", 80, 2)
    assert spread(made, real, seed=1) == spread(made, real, seed=1)
    assert spread(made, real, seed=1) != spread(made, real, seed=2)


def test_bad_input_is_refused() -> None:
    real, vectors = texts("en", 30, 1), np.ones((30, 4), np.float32)
    with pytest.raises(UsageError, match="19 made rows"):
        spread(real[:19], real)
    with pytest.raises(UsageError, match="0 real rows"):
        spread(real, real[:0])
    with pytest.raises(UsageError, match="30 and 29 vectors of 30 and 30 texts"):
        spread(real, real, (vectors, vectors[1:]))
    with pytest.raises(UsageError, match="NaN"):
        spread(real, real, (vectors, np.full((30, 4), np.nan, np.float32)))
    with pytest.raises(UsageError, match="1 of 30 texts are null"):
        spread(pl.Series([None, *real[1:]]), real)
    with pytest.raises(UsageError, match="two tokens or more"):
        spread(pl.Series(["one"] * 30), real)
    with pytest.raises(UsageError, match="not all zero"):
        spread(real, real, (vectors, np.zeros((30, 4), np.float32)))
