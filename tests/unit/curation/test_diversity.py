"""Diversity: anchors of each measure, equal sample sizes, the table, both languages."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.frames import empty, pairs
from zhiling.curation.diversity import diversity, sampled, table
from zhiling.curation.diversity_measures import (
    cluster_entropy,
    density,
    distinct_n,
    novel_sum,
    vendi_score,
)
from zhiling.encoders.hashing import HashingEncoder

ORTHOGONAL = np.eye(5, dtype=np.float32)
EQUAL = np.tile(ORTHOGONAL[:1], (5, 1))
ENCODER = HashingEncoder(buckets=256)


@pytest.mark.parametrize(
    ("texts", "n", "share"),
    [
        (["a b a b"], 2, 2 / 3),
        (["你好", "你好"], 2, 1 / 2),
        (["你好吗", "好吗你"], 2, 3 / 4),
        (["a b", "a b c"], 3, 1.0),
        (["你好", "Hello world", None], 1, 1.0),
        (["A a", "a"], 1, 1 / 3),
    ],
)
def test_distinct_grams_are_counted_within_texts(texts: list[str | None], n: int, share: float) -> None:
    assert distinct_n(pl.Series(texts), n) == pytest.approx(share)


def test_what_cannot_be_measured_is_not_a_number() -> None:
    nothing = ORTHOGONAL[:0]
    assert math.isnan(distinct_n(pl.Series(["", "one"]), 2))
    assert math.isnan(vendi_score(np.zeros((3, 4), dtype=np.float32)))
    assert math.isnan(novel_sum(ORTHOGONAL[:1]))
    assert math.isnan(cluster_entropy(nothing, ORTHOGONAL))
    assert math.isnan(cluster_entropy(EQUAL, EQUAL[:1]))


def test_vendi_counts_different_rows() -> None:
    assert vendi_score(EQUAL) == pytest.approx(1)
    assert vendi_score(ORTHOGONAL) == pytest.approx(5)
    assert vendi_score(np.concatenate([ORTHOGONAL[:2]] * 3)) == pytest.approx(2)


def test_novel_rows_are_far_from_their_neighbours() -> None:
    assert novel_sum(EQUAL) == 0
    assert novel_sum(ORTHOGONAL) == pytest.approx(1)
    # Each row has a copy (rank 1), then two at distance 1 (ranks 2 and 3).
    assert novel_sum(np.repeat(ORTHOGONAL[:2], 2, axis=0)) == pytest.approx(
        (1 / 2 + 1 / 3) / (1 + 1 / 2 + 1 / 3)
    )


def test_a_distance_counts_more_where_the_reference_is_dense() -> None:
    near = np.array([[math.cos(a), math.sin(a)] for a in (0.3, -0.3)], dtype=np.float32)
    far = np.array([[math.cos(a), math.sin(a)] for a in (1.5, -1.5)], dtype=np.float32)
    rows = np.array([[1, 0], [0.8, 0.6]], dtype=np.float32)
    assert density(rows[:1], near)[0] == pytest.approx(1 / (1 - math.cos(0.3)), rel=1e-4)
    assert novel_sum(rows, near) > novel_sum(rows, far) > 0
    assert density(rows, ORTHOGONAL[:0, :2]).tolist() == [1, 1]


def test_entropy_of_clusters() -> None:
    assert cluster_entropy(EQUAL, ORTHOGONAL) == 0
    assert cluster_entropy(ORTHOGONAL, ORTHOGONAL) == pytest.approx(1)


def test_both_sides_are_measured_on_samples_of_one_size() -> None:
    varied = pairs(*((f"问题 {n}: what about {n * n}?", f"答 {n}") for n in range(60)))
    dull = pairs(*[("Where is my parcel?", "On its way.")] * 40)
    found = diversity(varied, ENCODER, reference=dull)
    assert found.reference is not None
    assert found.rows.size == found.reference.size == 40
    for name in ("vendi", "novel_sum"):
        assert getattr(found.rows, name) > getattr(found.reference, name)
    assert found.rows.distinct[1] > found.reference.distinct[1]
    assert found.reference.vendi == pytest.approx(1, rel=1e-5)
    assert diversity(varied.reverse(), ENCODER, reference=dull).rows == found.rows


def test_a_sample_depends_on_ids_alone() -> None:
    rows = pairs(*((f"text {n}", None) for n in range(30)))
    assert sampled(rows, 7)["id"].to_list() == sampled(rows.reverse(), 7)["id"].to_list()
    assert set(sampled(rows, 7)["id"]) < set(sampled(rows, 8)["id"])


def test_the_table_counts_all_rows_of_both_sides() -> None:
    rows = pairs(("one two", "three"), ("一二三", "四"), ("", "")).with_columns(
        task=pl.lit("qa"), language=pl.Series(["en", "zh", None])
    )
    reference = pairs(("x " * 20, "y")).with_columns(task=pl.lit("qa"), language=pl.lit("en"))
    found = table(rows, reference)
    assert found["rows"].sum() == 3
    assert found["share"].sum() == pytest.approx(1)
    lines = found.select("language", "length", "rows", "reference_rows").rows()
    assert set(lines) == {
        ("en", "1-15", 1, 0),
        ("zh", "1-15", 1, 0),
        (None, "0", 1, 0),
        ("en", "16-63", 0, 1),
    }


def test_no_rows_are_no_obstacle() -> None:
    found = diversity(empty(), ENCODER)
    assert found.rows.size == 0
    assert math.isnan(found.rows.vendi)
    assert found.table.is_empty()
