"""The fresh judge: equal samples stay on the floor, others do not, and bad input is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zhiling.adversarial.guards.judge import fresh_judge
from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.sparse import ngram_matrix
from zhiling.errors import UsageError

Vectors = NDArray[np.float32]


def drawn(count: int, seed: int, shift: float = 0.0, dimension: int = 24) -> Vectors:
    """Vectors of length 1 about a point that `shift` moves."""
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    rows[:, 0] += shift
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def sentences(language: str, count: int, seed: int, tail: str = "") -> list[str]:
    """Short texts of random words."""
    rng = np.random.default_rng(seed)
    english = ["send", "money", "card", "bill", "when", "how", "my", "the", "to", "please", "cancel", "order"]
    chinese = ["转账", "账单", "银行卡", "怎么", "我的", "什么时候", "取消", "订单", "请", "查询", "退款"]
    words = english if language == "en" else chinese
    joint = " " if language == "en" else ""
    return [joint.join(rng.choice(words, size=6)) + tail for _ in range(count)]


def views(texts: list[str]) -> list[Any]:
    """A dense part and a sparse one."""
    return [HashingEncoder(buckets=256).encode(texts), ngram_matrix(texts, 3, 4096)]


def test_equal_samples_rarely_leave_the_floor() -> None:
    judged = [fresh_judge([drawn(200, seed)], [drawn(100, 1000 + seed)], seed) for seed in range(20)]
    assert sum(each.alarm for each in judged) <= 2
    assert np.mean([each.floor for each in judged]) == pytest.approx(0.5, abs=0.03)
    assert all(each.rows == 100 for each in judged)


def test_rows_of_another_kind_are_told() -> None:
    judged = fresh_judge([drawn(200, 1)], [drawn(100, 2, shift=4)], 3)
    assert judged.alarm
    assert judged.auc > 0.85
    assert judged.floor == pytest.approx(0.5, abs=0.1)


def test_copies_fall_below_the_floor() -> None:
    real = drawn(400, 1, dimension=300)
    judged = fresh_judge([real], [real[:200]], 2)
    assert judged.auc < judged.floor - 2 * judged.floor_error
    assert judged.alarm


@pytest.mark.parametrize(("language", "leak"), [("en", " thanks"), ("zh", "谢谢")])
def test_texts_by_vectors_and_ngrams(language: str, leak: str) -> None:
    real = views(sentences(language, 120, 1))
    same = fresh_judge(real, views(sentences(language, 60, 2)), 5)
    leaking = fresh_judge(real, views(sentences(language, 60, 3, leak)), 5)
    assert not same.alarm
    assert leaking.alarm
    assert leaking.auc > 0.95


def test_a_judge_of_one_seed_repeats_itself_and_another_seed_draws_anew() -> None:
    real, made = [drawn(100, 1)], [drawn(60, 2)]
    assert fresh_judge(real, made, 1) == fresh_judge(real, made, 1)
    assert fresh_judge(real, made, 1) != fresh_judge(real, made, 2)


def test_rows_of_one_group_are_learnt_from_or_judged_never_both() -> None:
    """Each made row is nearly its real parent: apart from it, a judge takes it for real."""
    real = drawn(200, 1, dimension=300)
    made = real[:100] + 0.01 * drawn(100, 2, dimension=300)
    names = [f"conversation {number}" for number in range(200)]
    alone = fresh_judge([real], [made], 3)
    grouped = fresh_judge([real], [made], 3, (names, names[:100]))
    assert alone.auc < alone.floor - 2 * alone.floor_error
    assert not grouped.alarm


def test_one_group_of_all_rows_tells_nothing() -> None:
    names = ["one"] * 60
    judged = fresh_judge([drawn(60, 1)], [drawn(60, 2, shift=9)], 3, (names, names))
    assert (judged.auc, judged.floor) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("real", "made", "said"),
    [
        ([drawn(39, 1)], [drawn(40, 2)], "19 half_of_real rows"),
        ([drawn(40, 1)], [drawn(19, 2)], "19 made rows"),
        ([drawn(40, 1)], [drawn(0, 2)], "0 made rows"),
        ([np.full((40, 24), np.nan, np.float32)], [drawn(40, 2)], "NaN"),
        ([drawn(40, 1)], [np.full((40, 24), np.inf, np.float32)], "infinite"),
        ([drawn(40, 1)], [drawn(40, 2)[:, :5]], "[24]"),
        ([drawn(40, 1), drawn(41, 1)], [drawn(40, 2)], "[40, 41] rows"),
        ([], [], "[] rows"),
    ],
)
def test_bad_input_is_refused(real: list[Vectors], made: list[Vectors], said: str) -> None:
    with pytest.raises(UsageError) as error:
        fresh_judge(real, made, 1)
    assert said in str(error.value)


def test_a_sparse_part_with_nan_is_refused() -> None:
    part = ngram_matrix(sentences("zh", 60, 1), 2, 256)
    broken = part.copy()
    broken.data[0] = np.nan
    with pytest.raises(UsageError, match="feature matrix 0 holds NaN"):
        fresh_judge([part], [broken], 1)


def test_groups_of_other_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="3 and 40 groups of 40 and 40 rows"):
        fresh_judge([drawn(40, 1)], [drawn(40, 2)], 1, (["a"] * 3, ["a"] * 40))
