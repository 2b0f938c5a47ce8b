"""Pairing: replies of another topic score low in both languages; what cannot be compared passes by."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.bilingual import help_desk
from tests.unit.curation.frames import CONTEXT, pairs, turns
from zhiling.curation.pairing import Pairing
from zhiling.curation.pairing_features import NEAREST, pair_features
from zhiling.curation.pairing_space import PairSpace, Texts
from zhiling.encoders.hashing import HashingEncoder

pytest.importorskip("sklearn")

ENCODER = dataclasses.replace(CONTEXT, load_encoder=lambda: HashingEncoder(buckets=512))
COUNT = 25
DESK = help_desk(COUNT)


def swapped(rows: pl.DataFrame, first: int, second: int) -> pl.DataFrame:
    """The rows with the replies of two rows exchanged."""
    messages = rows["messages"].to_list()
    messages[first][-1], messages[second][-1] = messages[second][-1], messages[first][-1]
    return rows.with_columns(pl.Series("messages", messages, dtype=rows.schema["messages"]))


@pytest.mark.parametrize("features", ["ngrams", "both"])
def test_wrong_pairs_score_low_in_both_languages(features: str) -> None:
    english, chinese = (0, COUNT), (3 * COUNT, 4 * COUNT)  # each time a parcel and a lock
    rows = swapped(swapped(DESK, *english), *chinese)
    score = Pairing(features=features).measure(rows, ENCODER)["score"]
    assert score.is_between(0, 1).all()
    wrong = score.gather([*english, *chinese])
    assert wrong.max() < score.quantile(0.1)
    assert score.median() > 0.5


def test_rows_without_a_reply_and_languages_too_rare_pass_by() -> None:
    few = pairs(*[("Wo ist mein Paket?", "Unterwegs")] * 3, ids=["x1", "x2", "x3"]).with_columns(
        language=pl.lit("de")
    )
    alone = turns([("user", "parcel?")], ids=["y"]).with_columns(language=pl.lit("en"))
    rows = pl.concat([DESK, few.select(DESK.columns), alone.select(DESK.columns)])
    mask = Pairing().applies(rows)
    assert mask.to_list() == [True] * DESK.height + [False] * 4


def test_a_conversation_of_many_rows_is_not_compared_with_itself_only() -> None:
    assert not Pairing().applies(DESK.with_columns(group=pl.lit("one"))).any()


def test_small_languages_are_judged_together() -> None:
    rows = help_desk(8)
    mask = Pairing(features="ngrams").applies(rows)
    assert mask.all()
    assert Pairing(features="ngrams").measure(rows, CONTEXT)["score"].null_count() == 0


def test_earlier_turns_count_and_what_follows_the_reply_does_not() -> None:
    messages = DESK["messages"].to_list()
    empty_message = dict.fromkeys(messages[0][0])
    messages[0] = [*messages[0], {**empty_message, "role": "user", "text": "invoice tax receipt"}]
    later = DESK.with_columns(pl.Series("messages", messages, dtype=DESK.schema["messages"]))
    step = Pairing(features="ngrams")
    assert np.allclose(step.measure(DESK, CONTEXT)["score"], step.measure(later, CONTEXT)["score"])


@pytest.mark.parametrize("negatives", ["random", "nearest", "adversarial"])
def test_every_kind_of_negative_tells_wrong_pairs(negatives: str) -> None:
    rows = swapped(DESK, 0, COUNT)
    answer = Pairing(features="ngrams", negatives=negatives).measure(rows, CONTEXT)
    assert answer["score"].gather([0, COUNT]).max() < answer["score"].median()
    assert answer["csls"].gather([0, COUNT]).max() < answer["csls"].median()
    assert answer["csls"].is_between(-4, 4).all()


def test_other_replies_to_the_same_question_are_no_wrong_pairs() -> None:
    space = PairSpace(Texts(["a b", "a b", "c"], ["a b", "a b", "c"], ["b", "a", "c d"]), None, ngrams=True)
    same = np.array([[True, True, False], [True, True, False], [False, False, True]])
    (found,), _ = space.candidates(np.arange(3), np.zeros(3, dtype=np.int64), same, np.random.default_rng(0))
    for row, others in enumerate([{2}, {2}, {0, 1}]):
        assert set(found.others[row, found.usable[row]]) == others


@given(st.integers(0, 10_000), st.integers(4, 40))
def test_popularity_leaves_the_pair_out(seed: int, count: int) -> None:
    draws = np.random.default_rng(seed)
    cosine = draws.uniform(-1, 1, (count, count)).astype(np.float32)
    same = np.eye(count, dtype=bool)
    every = np.broadcast_to(np.arange(count), cosine.shape)
    _, question, reply = pair_features(cosine, same, every)
    nearest = max(1, min(count - 2, NEAREST))
    for row, column in draws.integers(0, count, (5, 2)):
        beside = np.delete(cosine[row], [row, column])
        assert np.isclose(question[row, column], np.sort(beside)[-nearest:].mean(), atol=1e-5)
        below = np.delete(cosine[:, column], [row, column])
        assert np.isclose(reply[row, column], np.sort(below)[-nearest:].mean(), atol=1e-5)


def test_empty_replies_and_no_rows() -> None:
    messages = DESK["messages"].to_list()
    messages[7][-1]["text"] = None
    rows = DESK.with_columns(pl.Series("messages", messages, dtype=DESK.schema["messages"]))
    score = Pairing(features="ngrams").measure(rows, CONTEXT)["score"]
    assert score.is_finite().all()
    assert Pairing().measure(DESK.clear(), CONTEXT).height == 0
