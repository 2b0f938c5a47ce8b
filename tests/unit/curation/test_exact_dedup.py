"""Exact deduplication: what is equal, who stays, and what is only compared with."""

from __future__ import annotations

import polars as pl

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.exact_dedup import ExactDedup
from zhiling.pipeline.step import Context


def test_case_width_and_space_do_not_make_a_difference() -> None:
    frame = pairs(
        ("Hello  World", "Fine.\n"),
        ("ｈｅｌｌｏ world", "fine."),
        ("hello world", "good."),
        ids=["b", "a", "c"],
    )
    answer = ExactDedup().decide(frame, CONTEXT)
    assert reasons(answer) == ["exact_duplicate", None, None]
    assert answer["related"].to_list() == ["a", None, None]
    assert answer["score"].to_list() == [2.0, 2.0, 1.0]


def test_punctuation_and_roles_do() -> None:
    frame = pairs(("5-3", "?"), ("5/3", "?"), ("5-3\n?", None))
    assert reasons(ExactDedup().decide(frame, CONTEXT)) == [None, None, None]


def test_one_text_under_two_labels_is_no_duplicate_unless_the_user_text_counts_alone() -> None:
    frame = pairs(("退款", None), ("退款", None), ("退款", None)).with_columns(
        pl.Series("target", ['{"labels": ["a"]}', '{"labels": ["b"]}', '{"labels": ["a"]}'])
    )
    assert reasons(ExactDedup().decide(frame, CONTEXT)) == [None, None, "exact_duplicate"]
    assert reasons(ExactDedup(on="user").decide(frame, CONTEXT)) == [
        None,
        "exact_duplicate",
        "exact_duplicate",
    ]


def test_by_content_only_the_very_same_bytes_are_equal() -> None:
    frame = pairs(("Hi", "a"), ("hi", "a"), ("Hi", "a"))
    assert reasons(ExactDedup(on="content").decide(frame, CONTEXT)) == [None, None, "exact_duplicate"]


def test_rows_accepted_before_win_and_are_not_judged() -> None:
    before = pairs(("old", "x"), ids=["z"])
    frame = pairs(("old", "x"), ("new", "x"), ids=["a", "b"])
    answer = ExactDedup().decide(frame, Context(step_id="x", reference=before))
    assert answer["related"].to_list() == ["z", None]


def test_rows_without_user_text_are_not_equal_to_each_other() -> None:
    assert reasons(ExactDedup(on="user").decide(pairs((None, "a"), (" ", "b")), CONTEXT)) == [None, None]
    assert ExactDedup().decide(empty(), CONTEXT).height == 0


def test_a_megabyte_and_lone_emoji() -> None:
    frame = pairs(("字 " * 250_000, "👍"), ("字  " * 250_000, "👍"), ("👍🏽", None), ("👍", None))
    assert reasons(ExactDedup().decide(frame, CONTEXT)) == [None, "exact_duplicate", None, None]
