"""Select: exact sizes, coverage of rare rows, even shares, and who stands for whom."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs
from zhiling.curation.facility_location import choose, neighbours
from zhiling.curation.select import Select
from zhiling.curation.strata import even_quotas
from zhiling.encoders.hashing import HashingEncoder

COVER = dataclasses.replace(CONTEXT, load_encoder=lambda: HashingEncoder(buckets=512))
TOPICS = [
    "where is parcel number",
    "how do i reset lock number",
    "门锁的电池能用多久 编号",
    "怎么开发票 编号",
]
TEXTS = [
    f"{topic} {number}" for topic, count in zip(TOPICS, (30, 6, 3, 1), strict=True) for number in range(count)
]
ROWS = pairs(*((text, "ok") for text in TEXTS)).with_columns(
    language=pl.Series(["en"] * 36 + ["zh"] * 4), task=pl.lit("dialogue")
)


def kept(step: Select, rows: pl.DataFrame = ROWS) -> pl.DataFrame:
    return rows.filter(step.decide(rows, COVER)["verdict"] == "keep")


@pytest.mark.parametrize("method", ["coverage", "random", "longest"])
@pytest.mark.parametrize("size", [0, 1, 7, 40, 99])
def test_the_size_is_exact(method: str, size: int) -> None:
    assert kept(Select(size=size, method=method)).height == min(size, 40)


def test_coverage_takes_one_of_each_topic_first_and_names_who_stands_for_whom() -> None:
    answer = Select(size=4).decide(ROWS, COVER)
    chosen = [text for text, verdict in zip(TEXTS, answer["verdict"], strict=True) if verdict == "keep"]
    assert sorted(text.rsplit(" ", 1)[0] for text in chosen) == sorted(TOPICS)
    text_of = dict(zip(ROWS["id"], TEXTS, strict=True))
    for text, verdict, related in zip(TEXTS, answer["verdict"], answer["related"], strict=True):
        if verdict == "reject":
            assert text_of[related].rsplit(" ", 1)[0] == text.rsplit(" ", 1)[0]
        else:
            assert related is None
    assert answer.filter(pl.col("verdict") == "keep")["score"].min() > 0


def test_the_longest_rows_stay() -> None:
    lengths = {
        len(text) for text in (m[0]["text"] for m in kept(Select(size=6, method="longest"))["messages"])
    }
    assert lengths == {len("how do i reset lock number 0")}


def test_shares_are_as_even_as_the_rows_allow() -> None:
    counts = dict(kept(Select(size=10, balance=("language",))).group_by("language").len().rows())
    assert counts == {"zh": 4, "en": 6}


def test_what_the_reference_covers_is_not_chosen_again() -> None:
    reference = ROWS.filter(pl.col("language") == "en")
    context = dataclasses.replace(COVER, reference=reference)
    answer = Select(size=2).decide(ROWS, context)
    assert set(ROWS.filter(answer["verdict"] == "keep")["language"]) == {"zh"}


def test_texts_that_are_empty_or_equal_are_no_obstacle() -> None:
    rows = pairs(*[("", None)] * 5, *[("same", None)] * 5)
    assert kept(Select(size=3), rows).height == 3


def test_no_rows_and_no_encoder_without_need() -> None:
    assert Select(size=3).decide(empty(), COVER).height == 0
    assert Select(size=3).uses_encoder()
    assert Select(size=3, method="random").decide(ROWS, CONTEXT)["verdict"].value_counts().height == 2


def test_the_lazy_choice_is_the_greedy_choice() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = np.maximum(vectors @ vectors.T, 0)
    best, greedy = np.zeros(40), []
    for _ in range(10):
        gains = np.maximum(similar - best, 0).sum(axis=1)
        gains[greedy] = -1
        greedy.append(int(gains.argmax()))
        best = np.maximum(best, similar[greedy[-1]])
    chosen, gains = choose(neighbours(vectors, 40), [""] * 40, {"": 10}, np.zeros(40, dtype=np.float32))
    assert chosen.tolist() == greedy
    assert gains.sum() == pytest.approx(best.sum(), rel=1e-5)
    assert (np.diff(gains) <= 1e-6).all()


def test_quotas_of_the_docstring() -> None:
    assert even_quotas({"a": 1, "b": 9, "c": 9}, 10) == {"a": 1, "b": 5, "c": 4}
    assert even_quotas({}, 5) == {}
