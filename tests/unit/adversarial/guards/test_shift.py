"""Labels, topics and lengths beside those of real rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from zhiling.adversarial.guards.shift import label_shift, length_shift, topic_shift
from zhiling.errors import UsageError


def test_labels_by_the_share_that_would_have_to_move() -> None:
    found = label_shift(list("aabb") * 25, list("abbb") * 25)
    assert found.distance == pytest.approx(0.25)
    assert found.distance > found.floor + 2 * found.floor_error


def test_samples_of_the_same_labels_stay_on_the_floor() -> None:
    rng = np.random.default_rng(1)
    real = rng.choice(["退款", "物流", "发票", "refund"], size=400, p=[0.4, 0.3, 0.2, 0.1]).tolist()
    made = rng.choice(["退款", "物流", "发票", "refund"], size=100, p=[0.4, 0.3, 0.2, 0.1]).tolist()
    found = label_shift(made, real)
    assert found.distance < found.floor + 2 * found.floor_error
    assert label_shift(real, real).distance == 0
    assert label_shift(["others"] * 40, real).distance == 1


def cloud(count: int, seed: int, axes: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = 0.2 * rng.normal(size=(count, 16))
    rows[np.arange(count), rng.integers(axes, size=count)] += 1
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_topics_that_are_missing_are_a_distance() -> None:
    real = cloud(400, 1, 8)
    same, few = topic_shift(cloud(200, 2, 8), real), topic_shift(cloud(200, 3, 1), real)
    assert same.distance < same.floor + 0.15
    assert few.distance > 0.7


@pytest.mark.parametrize(("word", "joint"), [("word", " "), ("字", "")])
def test_lengths_in_tokens(word: str, joint: str) -> None:
    real = pl.Series([joint.join([word] * (4 + number % 3)) for number in range(60)])
    made = pl.Series([joint.join([word] * 10)] * 30)
    found = length_shift(made, real)
    assert (found.ratio, found.apart) == (2.0, 1.0)
    assert length_shift(real, real).apart == 0
    assert length_shift(real, real).ratio == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(UsageError, match="0 made rows"):
        label_shift([], ["a"] * 20)
    with pytest.raises(UsageError, match="19 real rows"):
        topic_shift(cloud(20, 1, 2), cloud(19, 1, 2))
    with pytest.raises(UsageError, match="NaN"):
        topic_shift(cloud(20, 1, 2), np.full((20, 16), np.nan, np.float32))
    with pytest.raises(UsageError, match="5 made rows"):
        length_shift(pl.Series(["a b"] * 5), pl.Series(["a b"] * 20))
    with pytest.raises(UsageError, match="0 tokens"):
        length_shift(pl.Series(["a b"] * 20), pl.Series(["？！"] * 20))
    with pytest.raises(UsageError, match="null"):
        length_shift(pl.Series(["a b"] * 20), pl.Series([None] * 20, dtype=pl.String))
