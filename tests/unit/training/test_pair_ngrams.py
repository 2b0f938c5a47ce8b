"""N-grams of pairs: on which side each stands, and what no sum over them tells a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from zhiling.encoders.hashing import HashingEncoder  # noqa: E402
from zhiling.evaluation.metrics.accuracy import Accuracy  # noqa: E402
from zhiling.rows.target import FIRST, SECOND  # noqa: E402
from zhiling.rows.templates.example import Turn  # noqa: E402
from zhiling.training import Examples, TrainSettings, load, train  # noqa: E402
from zhiling.training.reading.pair_ngrams import SIDES, hash_pairs  # noqa: E402

ENCODER = HashingEncoder(buckets=2**12)
TEXTS = [
    "我想改地址", "快递什么时候到", "密码忘了怎么办", "发票开好了吗",
    "where is my parcel", "reset my password", "send me the bill", "cancel the order",
]  # fmt: skip


def columns(first: str, second: str) -> list[int]:
    return hash_pairs([first], [second], ENCODER).indices.tolist()


@bounded(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_turning_a_pair_round_turns_its_sides_round(first: str, second: str) -> None:
    here, there = (
        {column for column in columns(*pair) if column < SIDES * ENCODER.buckets}
        for pair in ((first, second), (second, first))
    )
    size, other_side = ENCODER.buckets, (0, 2, 1)
    assert {column % size + other_side[column // size] * size for column in here} == there


@bounded(deadline=None)
@given(st.text(max_size=20))
def test_equal_texts_have_nothing_of_their_own(text: str) -> None:
    sides = [column for column in columns(text, text) if column < SIDES * ENCODER.buckets]
    assert all(column < ENCODER.buckets for column in sides)


def test_whether_two_texts_are_one_is_learnt_on_words_never_seen(tmp_path: Path) -> None:
    """No weight of an n-gram says this: only the steps of the overlap do."""

    def rows(texts: list[str]) -> Examples:
        pairs = [(a, b) for a in texts for b in texts] + [(a, a) for a in texts] * (len(texts) - 2)
        inputs = tuple((Turn("user", a, FIRST), Turn("user", b, SECOND)) for a, b in pairs)
        targets = tuple("same" if a == b else "other" for a, b in pairs)
        return Examples(tuple(map(str, range(len(pairs)))), inputs, targets, ("und",) * len(pairs))

    learnt, met = rows(TEXTS[:3] + TEXTS[4:7]), rows([TEXTS[3], TEXTS[7]])
    settings = TrainSettings(features="ngrams", epochs=6, learning_rate=0.02, ngram_width=16, batch_size=8)
    model = train(settings, (learnt, learnt), seed=0, evaluate=Accuracy().score)
    assert Accuracy().score(met.targets, model.predict(met.inputs).answers) == 1
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").predict(met.inputs).answers == model.predict(met.inputs).answers
