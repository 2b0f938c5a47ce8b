"""Slices of errors: planted ones are found and named, chance ones are not told."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from zhiling.errors import UsageError
from zhiling.evaluation.slices import LEAST_ROWS, error_slices, wilson
from zhiling.evaluation.terms import telling_terms, terms_of

TOPICS = (
    "where is my parcel number {}", "my card {} was stolen today", "reset the password of account {}",
    "我的快递{}还没有到", "忘了密码怎么办{}", "发票{}开错了抬头",
)  # fmt: skip


def world(seed: int, wrong: dict[int, float], rows: int = 40) -> tuple[np.ndarray, list[float], list[str]]:
    """Rows about six topics, each a cloud of its own; `wrong` is a topic's error rate, else it is .15."""
    draw = np.random.default_rng(seed)
    middles = np.eye(len(TOPICS), 8)
    vectors, losses, texts = [], [], []
    for topic, text in enumerate(TOPICS):
        for number in range(rows):
            vectors.append(middles[topic] + draw.normal(scale=0.15, size=8))
            losses.append(float(draw.random() < wrong.get(topic, 0.15)))
            texts.append(text.format(number))
    return np.array(vectors, dtype=np.float32), losses, texts


@pytest.mark.parametrize(("topic", "term"), [(1, "stolen"), (4, "密码")])
def test_a_planted_slice_is_found_and_named_in_both_languages(topic: int, term: str) -> None:
    vectors, losses, texts = world(3, {topic: 0.8})
    found = error_slices(vectors, losses, texts, seed=0)
    assert len(found.slices) == 1
    worst = found.slices[0]
    assert {row // 40 for row in worst.rows} == {topic}
    assert any(term in each for each in worst.terms)
    assert worst.rate.low > found.rate
    assert worst.p <= 0.05
    assert all(losses[row] for row in worst.examples)
    assert len(worst.rows) >= LEAST_ROWS


def test_errors_without_a_pattern_are_not_told() -> None:
    """The permutation test allows one test set in twenty; of fifteen, hardly more than three."""
    told = [bool(error_slices(*world(seed, {}, rows=14), seed=seed).slices) for seed in range(15)]
    assert sum(told) <= 3


def test_the_worst_slice_comes_first_and_none_is_told_twice() -> None:
    found = error_slices(*world(1, {0: 0.95, 5: 0.6}), seed=0)
    assert [slice_.rows[0] // 40 for slice_ in found.slices] == [0, 5]
    sets = [set(each.rows) for each in found.slices]
    assert not sets[0] & sets[1]


@pytest.mark.parametrize("loss", [0.0, 0.5, 1.0])
def test_all_right_or_all_wrong_has_no_slice(loss: float) -> None:
    vectors, losses, texts = world(0, {})
    found = error_slices(vectors, [loss] * len(losses), texts, seed=0)
    assert (found.rate, found.tried, found.slices) == (loss, 0, ())


def test_few_rows_and_no_rows() -> None:
    vectors, losses, texts = world(0, {}, rows=2)
    assert error_slices(vectors, losses, texts, seed=0).tried == 0
    assert error_slices(vectors[:0], [], [], seed=0).n == 0
    with pytest.raises(UsageError, match="12 vectors, 3 losses"):
        error_slices(vectors, losses[:3], texts, seed=0)


def test_the_same_seed_gives_the_same_slices() -> None:
    assert error_slices(*world(5, {2: 0.7}), seed=4) == error_slices(*world(5, {2: 0.7}), seed=4)


def test_losses_between_right_and_wrong_count_as_what_they_are() -> None:
    vectors, losses, texts = world(3, {1: 0.9})
    found = error_slices(vectors, [loss / 2 for loss in losses], texts, seed=0)
    assert found.slices[0].rate.mean == pytest.approx(
        error_slices(vectors, losses, texts, seed=0).slices[0].rate.mean / 2
    )


def test_terms_of_both_scripts() -> None:
    assert terms_of("Reset PIN 密码忘了") == {
        "reset", "pin", "reset pin", "密码", "码忘", "忘了", "密码忘", "码忘了", "密码忘了",
    }  # fmt: skip
    assert terms_of("a 中") == {"中"}


def test_telling_terms_need_evidence_and_do_not_repeat_one_another() -> None:
    texts = [terms_of(text) for text in ["the lost card"] * 10 + ["the late parcel"] * 30]
    assert telling_terms(texts, range(10))[0] in {"lost card", "lost", "card", "the lost"}
    told = telling_terms(texts, range(10))
    assert not [(a, b) for a in told for b in told if a != b and a in b]
    assert telling_terms(texts, range(40)) == []
    assert telling_terms([terms_of("only once")] + [terms_of("the rest")] * 20, [0]) == []


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634)]
)
def test_wilson_intervals(hits: int, n: int, low: float, high: float) -> None:
    found = wilson(hits, n)
    assert (found.mean, found.low, found.high) == pytest.approx((hits / n, low, high), abs=1e-4)
