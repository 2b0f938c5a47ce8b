"""Discriminators: calibrated, blind to length, silent where nothing can be told."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

pytest.importorskip("sklearn")

from tests.desk_lines import PARTS, desk, variants
from zhiling.adversarial.discriminators.match import evidence, fit_match
from zhiling.adversarial.discriminators.real import Side, judge_real, matched
from zhiling.adversarial.features import features
from zhiling.encoders.hashing import HashingEncoder

LABELS = list(PARTS)
ENCODER = HashingEncoder(buckets=512, longest=3)


def match(known: int = 12):
    rows, _ = desk(known, 0)
    texts = features([text for text, _ in rows], ENCODER)
    labels = np.array([LABELS.index(label) for _, label in rows])
    return fit_match(texts, labels, len(LABELS), np.random.default_rng(0), np.ones(len(rows), np.bool_))


def test_right_labels_fit_and_wrong_ones_do_not() -> None:
    judge = match()
    _, others = desk(12, 20)
    texts = features([text for text, _ in others], ENCODER)
    own = np.array([LABELS.index(label) for _, label in others])
    right, wrong = judge.fits(texts, own), judge.fits(texts, (own + 1) % len(LABELS))
    assert (right > judge.strictness(0.05)).mean() > 0.9
    assert (wrong > judge.strictness(0.05)).mean() < 0.05


def test_a_label_that_is_likelier_wrong_never_passes() -> None:
    assert match().strictness(0.9) >= 0.5


def test_evidence_is_the_log_odds_against_the_best_other_label() -> None:
    chances = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    assert evidence(chances, np.array([0, 0])) == pytest.approx([np.log(2), np.log(1 / 3)], abs=1e-6)


def test_the_views_disagree_where_one_of_them_sees_another_label() -> None:
    apart = match().disagreement(features(["where is my bank card", "xyzzy"], ENCODER))
    assert ((apart >= 0) & (apart <= 1)).all()


def side(texts: list[str]) -> Side:
    return Side(pl.Series(texts, dtype=pl.String), features(texts, ENCODER), np.arange(len(texts)))


def test_generations_of_another_kind_are_told_from_real_ones_and_said_in_words() -> None:
    real = side(variants("card")[:80])
    made = side([f"dear sir {text}" for text in variants("card")[80:140]])
    found = judge_real(real, made, features(variants("card")[140:170], ENCODER), np.random.default_rng(0))
    assert found.auc is not None
    assert found.auc > 0.95
    assert found.real.mean() < 0.3
    assert found.beside.mean() > 0.6
    assert any("sir" in word for word in found.telling)


@pytest.mark.parametrize("label", ["card", "卡"])
@pytest.mark.parametrize(("added", "sign"), [(" ###", "###"), ("\n\nok", "↵"), ("。", "。"), (" **", "**")])
def test_signs_that_give_generations_away_are_told_first(label: str, added: str, sign: str) -> None:
    every = variants(label)
    texts = [every[place] for place in np.random.default_rng(1).permutation(len(every)).tolist()]
    made = side([f"{text}{added}" for text in texts[:72]])
    found = judge_real(side(texts[72:]), made, features([], ENCODER), np.random.default_rng(0))
    assert found.auc is not None
    assert found.auc > 0.95
    assert found.telling[0] == sign


@pytest.mark.parametrize("label", ["card", "卡"])
def test_real_rows_are_not_told_from_real_rows(label: str) -> None:
    every = variants(label)
    texts = [every[place] for place in np.random.default_rng(1).permutation(len(every)).tolist()]
    found = judge_real(side(texts[:72]), side(texts[72:]), features([], ENCODER), np.random.default_rng(0))
    assert found.auc is not None
    assert 0.3 < found.auc < 0.7


def test_with_a_handful_of_rows_nothing_is_learnt() -> None:
    found = judge_real(
        side(["a b", "c d"]), side(["e f"]), features(["g"], ENCODER), np.random.default_rng(0)
    )
    assert found.auc is None
    assert found.real.tolist() == found.beside.tolist() == [0.5]


def test_real_rows_are_chosen_as_long_as_the_generations() -> None:
    real = np.concatenate([np.full(500, 5), np.full(500, 50)])
    made = np.concatenate([np.full(90, 5), np.full(10, 50)])
    chosen = matched(real, made, np.random.default_rng(0))
    assert (real[chosen] == 50).mean() == pytest.approx(0.1, abs=0.02)
