"""Semantic deduplication: same meaning is flagged, other numbers and denials are not, in any order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.same_meaning import compatible, neighbours
from zhiling.curation.semantic_dedup import SemanticDedup
from zhiling.encoders.hashing import HashingEncoder

TOPICS = ("refund", "退款", "parcel", "包裹", "lock", "门锁")


class TopicEncoder:
    """One direction for each topic word; texts of no topic are zero."""

    identity = "topics"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        found = [[float(topic in text) for topic in TOPICS] for text in texts]
        matrix = np.array(found, dtype=np.float32).reshape(len(texts), len(TOPICS))
        return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)


CONTEXT_TOPIC = dataclasses.replace(CONTEXT, load_encoder=TopicEncoder)


def test_same_meaning_is_flagged_in_both_languages() -> None:
    frame = pairs(
        ("When will my refund arrive?", ""),
        ("How long until I get the refund?", ""),
        ("我的退款什么时候到？", ""),
        ("退款要等多久才到账？", ""),
        ("Where is my parcel?", ""),
        ("", ""),
        ("", ""),
    )
    answer = SemanticDedup().decide(frame, CONTEXT_TOPIC)
    assert answer["verdict"].to_list() == ["flag", "keep", "keep", "flag", "keep", "keep", "keep"]
    assert answer["related"].to_list() == ["r1", None, None, "r2", None, None, None]
    assert answer["cluster"].to_list() == ["r1", "r1", "r2", "r2", "r4", "r5", "r6"]
    assert answer["score"].to_list() == pytest.approx([1, 0, 0, 1, 0, 0, 0])
    rejected = SemanticDedup(verdict="reject", keep="first").decide(frame, CONTEXT_TOPIC)
    assert reasons(rejected) == [None, "same_meaning", None, "same_meaning", None, None, None]
    assert SemanticDedup().decide(empty(), CONTEXT_TOPIC).height == 0


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("refund in 3 days", "the refund takes 3 days", True),
        ("refund in 3 days", "refund in 5 days", False),
        ("the refund arrived", "the refund has not arrived", False),
        ("it isn't a refund", "it is no refund", True),
        ("退款到了", "退款没到", False),
        ("能不能退款", "可以退款吗", True),
        ("有没有退款", "有退款吗", True),
        ("不但退款，而且赔偿", "退款并且赔偿", True),
        ("refund", "refund " + "and many more words about it " * 3, False),
        ("退款", "", False),
    ],
)
def test_what_the_encoder_does_not_see(left: str, right: str, same: bool) -> None:
    for one, other in ((left, right), (right, left)):
        assert compatible(pl.Series([one]), pl.Series([other])).tolist() == [same]


def test_rows_of_one_group_and_rows_before() -> None:
    frame = pairs(("my refund", None), ("the refund", None), ("a refund", None))
    grouped = frame.with_columns(group=pl.Series(["g", "g", None]))
    answer = SemanticDedup(keep="first").decide(grouped, CONTEXT_TOPIC)
    assert answer["cluster"].to_list() == ["r0", "r1", "r0"]
    context = dataclasses.replace(CONTEXT_TOPIC, reference=pairs(("refund", None), ids=["z"]))
    assert SemanticDedup().decide(frame, context)["cluster"].to_list() == ["z", "z", "z"]


SAID = st.lists(st.sampled_from([*TOPICS, "3", "not", "my"]), max_size=5).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(st.lists(SAID, max_size=10), st.randoms(use_true_random=False))
def test_order_changes_nothing(texts: list[str], random: object) -> None:
    frame = pairs(*((text, "") for text in texts))
    order = list(range(frame.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    context = dataclasses.replace(CONTEXT, load_encoder=lambda: HashingEncoder(buckets=64))
    for step in (SemanticDedup(cosine=0.6), SemanticDedup(cosine=0.8, keep="first")):
        straight = dict(zip(frame["id"], step.decide(frame, context)["cluster"], strict=True))
        clusters = step.decide(frame[order], context)["cluster"]
        assert dict(zip(frame["id"].gather(order), clusters, strict=True)) == straight
        assert all(straight[kept] == kept for kept in straight.values())


def test_neighbours_are_those_of_brute_force() -> None:
    draw = np.random.default_rng(1)
    vectors = draw.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query, row, cosine = neighbours(vectors[:20], vectors, 5, 0.2)
    full = vectors[:20] @ vectors.T
    for number in range(20):
        best = [other for other in np.argsort(-full[number])[:5] if full[number, other] >= 0.2]
        assert row[query == number].tolist() == best
    assert np.allclose(cosine, full[query, row])
    assert len(neighbours(vectors[:0], vectors, 5, 0.2)[0]) == 0


def test_equal_texts_cost_no_pair_each_and_groups_stay_whole() -> None:
    frame = pairs(*[("Where is my parcel?", "")] * 5000).with_columns(
        group=pl.Series(["a", "a", "b", *[None] * 4997], dtype=pl.String)
    )
    answer = SemanticDedup(keep="first").decide(frame, CONTEXT_TOPIC)
    assert answer["related"][:3].to_list() == [None, None, "r0"]
    assert set(answer["related"][3:]) == {"r0"}
