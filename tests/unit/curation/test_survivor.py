"""Which row of a cluster stays: by length, id, score, date or release, with ties by id."""

from __future__ import annotations

import dataclasses
import json

import polars as pl
import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.curation.exact_dedup import ExactDedup
from zhiling.curation.near_dedup import NearDedup

WORDS = [f"word{number}" for number in range(60)]
TEXTS = [" ".join(WORDS[:-1]), " ".join(WORDS), " ".join(WORDS[:-2]), "something quite different"]
IDS = ["d", "c", "b", "a"]


def frame(**columns: list[object]) -> pl.DataFrame:
    rows = pairs(*((text, None) for text in TEXTS), ids=IDS)
    return rows.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def kept(rows: pl.DataFrame, **settings: object) -> str:
    """The representative of the first three rows: one for all of them."""
    answer = NearDedup.model_validate(settings).decide(rows, CONTEXT)
    (representative,) = set(answer["cluster"].to_list()[:3])
    assert answer["cluster"][3] == "a"
    assert (answer["verdict"] == "keep").to_list() == [each in {representative, "a"} for each in IDS]
    return representative


def test_longest_and_first() -> None:
    assert kept(frame()) == "c"
    assert kept(frame(), keep="first") == "b"


def test_equally_long_rows_are_told_apart_by_the_column() -> None:
    rows = pairs(
        *((TEXTS[0].replace("word3 ", f"{one} "), None) for one in ("x", "y", "z")), ids=["a", "b", "c"]
    )
    rows = rows.with_columns(pl.Series("q.score", [0.1, 0.9, 0.5]))
    assert set(NearDedup(column="q.score").decide(rows, CONTEXT)["cluster"]) == {"b"}
    assert set(NearDedup().decide(rows, CONTEXT)["cluster"]) == {"a"}


def test_best_is_the_largest_number_and_ties_go_to_more_text() -> None:
    scores = frame(**{"q.score": [0.9, 0.1, 0.5, 0.0]})
    assert kept(scores, keep="best", column="q.score") == "d"
    assert kept(scores, keep="first", column="q.score") == "c"
    assert kept(frame(**{"q.score": [0.9, 0.1, 0.9, 0.0]}), keep="best", column="q.score") == "d"
    assert kept(frame(**{"q.score": [float("nan"), 0.1, None, 0.0]}), keep="best", column="q.score") == "c"


@pytest.mark.parametrize(
    ("values", "newest", "oldest"),
    [
        (["2024-05-01", "2023-12-31", "2024-06-01"], "b", "c"),
        ([9, 10, 8], "c", "b"),
        (["9", "10", None], "c", "d"),
        (["第一版", None, "第二版"], "b", "d"),
    ],
)
def test_newest_compares_a_field_of_the_source(values: list[object], newest: str, oldest: str) -> None:
    extras = [json.dumps({"发布 日": value}) if value is not None else None for value in values]
    rows = frame(extra=[*extras, "{}"])
    assert kept(rows, keep="newest", column="extra.发布 日") == newest
    assert kept(rows, keep="first", column="extra.发布 日") == oldest


def test_rows_accepted_before_stay_whatever_their_value() -> None:
    before = frame(extra=['{"date": "1999"}'] * 4)[:1]
    rows = frame(extra=['{"date": "2024"}'] * 4)[1:]
    context = dataclasses.replace(CONTEXT, reference=before)
    answer = NearDedup(keep="newest", column="extra.date").decide(rows, context)
    assert answer["cluster"].to_list() == ["d", "d", "a"]


def test_settings_that_say_nothing_are_refused() -> None:
    for settings in ({"keep": "best"}, {"keep": "newest"}):
        with pytest.raises(ValidationError, match="column"):
            NearDedup.model_validate(settings)
    assert NearDedup(keep="best", column="q.score").reads() == ("messages", "group", "q.score")
    assert NearDedup(keep="newest", column="extra.date").reads() == ("messages", "group", "extra")


def test_equal_rows_have_a_cluster_and_a_survivor_too() -> None:
    rows = pairs(
        ("Refund?", "a"), ("refund? ", "a"), ("退款", "b"), ("REFUND?", "a"), ids=["b", "c", "d", "a"]
    )
    rows = rows.with_columns(pl.Series("q.score", [0.2, 0.9, 0.1, 0.5]))
    assert ExactDedup().decide(rows, CONTEXT)["cluster"].to_list() == ["a", "a", "d", "a"]
    best = ExactDedup(keep="best", column="q.score").decide(rows, CONTEXT)
    assert best["cluster"].to_list() == ["c", "c", "d", "c"]
    assert best["related"].to_list() == ["c", None, None, "c"]
    assert ExactDedup(keep="longest").decide(rows, CONTEXT)["cluster"].to_list() == ["c", "c", "d", "c"]
    context = dataclasses.replace(CONTEXT, reference=rows[:1])
    assert ExactDedup(keep="best", column="q.score").decide(rows[1:], context)["cluster"][0] == "b"
