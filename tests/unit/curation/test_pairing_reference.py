"""What a reference teaches of new pairs: expected replies, rare words, and nothing of other new pairs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.bilingual import help_desk
from zhiling.curation.pairing_reference import Reference, Ridge
from zhiling.curation.pairing_space import Texts, pair_texts
from zhiling.curation.pairing_words import Rarity, words_of
from zhiling.encoders.hashing import HashingEncoder
from zhiling.rows.conversation import nest

pytest.importorskip("sklearn")

ENCODER = HashingEncoder(buckets=256)
OWN = np.arange(12)[:, None]


def desk(language: str) -> tuple[Texts, Texts]:
    """Known pairs, and twelve new ones, of one language."""
    rows = help_desk(12)
    texts = pair_texts(rows.filter(language=language)["messages"])
    said, reply = np.array(texts.said), np.array(texts.reply)
    new = np.arange(len(said)) % 3 == 0
    return tuple(Texts(said[each], said[each], reply[each]) for each in (~new, new))


@given(st.integers(0, 1000), st.integers(3, 30), st.integers(3, 30))
@settings(max_examples=25)
def test_ridge_is_the_same_by_rows_and_by_columns(seed: int, rows: int, columns: int) -> None:
    draws = np.random.default_rng(seed)
    vectors = draws.normal(size=(rows, columns)).astype(np.float32)
    wanted = draws.normal(size=(rows, 2)).astype(np.float32)
    moved = vectors - vectors.mean(axis=0)
    penalty = np.square(moved).sum() / columns * np.eye(columns)
    expected = moved @ np.linalg.solve(moved.T @ moved + penalty, moved.T @ wanted)
    assert np.allclose(Ridge.of(vectors, wanted).expected(vectors), expected, atol=1e-3)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_pair_is_told_alike_whatever_stands_beside_it(language: str) -> None:
    known, new = desk(language)
    reference = Reference(known, ENCODER)
    together = reference.features(new, OWN)
    alone = reference.features(Texts(new.said[3:4], new.before[3:4], new.reply[3:4]), np.array([[0]]))
    assert np.isfinite(together).all()
    assert np.allclose(together[3], alone[0], atol=1e-4)


def test_the_expected_form_of_a_reply_is_learnt() -> None:
    asked = [f"{kind} {place}" for place in range(40) for kind in ("count apples", "tell a story about")]
    replies = [("7" * (place % 3 + 1)) if not place % 2 else "once upon a time " * 5 for place in range(80)]
    reference = Reference(Texts(asked, asked, replies), ENCODER)
    new = Texts(
        ["count apples now"] * 2, ["count apples now"] * 2, ["777", "once upon a time there was " * 3]
    )
    right, wrong = reference.features(new, np.array([[0], [1]]))[:, 0, -7]  # all six forms together
    assert right < wrong


def test_rare_words_in_both_languages() -> None:
    asked, replied = (
        words_of(each) for each in (["symbol of gold?", "黄金的符号"], ["symbol of silver: 47", "金 47"])
    )
    assert asked[1] == {"黄金", "金的", "的符", "符号"}
    rarity = Rarity([*asked, *words_of(["symbol of lead"] * 8)], replied)
    _, of_question, _, held, lacked, numbers = rarity.features(asked, replied, np.array([[0], [0]]))
    assert lacked[0, 0] > held[0, 0] > 0
    assert 0 < of_question[0, 0] < 0.6
    assert held[1, 0] == of_question[1, 0] == 0
    assert not numbers.any()
    assert rarity.features(words_of(["47"]), replied, np.array([[1]]))[5] == 1


def test_documents_count_as_context_where_they_are_asked_for() -> None:
    flat = pl.DataFrame({"role": ["document", "user", "assistant", "document"], "text": list("dqrx")})
    messages = nest(flat, [4])
    assert pair_texts(messages).before == ["q"]
    longer = nest(pl.DataFrame({"role": ["user", "assistant"] * 2, "text": list("abcd")}), [4])
    assert pair_texts(longer) == Texts(["a\nc"], ["a\nb\nc"], ["d"])
    assert pair_texts(longer, last_turn=True) == Texts(["c"], ["a\nb\nc"], ["d"])
    texts = pair_texts(messages, ("document", "user", "assistant"))
    assert (texts.said, texts.before, texts.reply) == (["q"], ["d\nq"], ["r"])
