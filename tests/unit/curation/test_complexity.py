"""`complexity`: what is counted in both languages, and what is not."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, pairs, turns
from zhiling.curation.complexity import Complexity

PARTS = ["requirements", "clauses", "subordinations", "quantities"]


def measured(*questions: str, on: str = "question") -> pl.DataFrame:
    return Complexity(on=on).measure(pairs(*((question, "ok") for question in questions)), CONTEXT)


@pytest.mark.parametrize(
    ("simple", "harder"),
    [
        ("Write a poem.", "Write a poem of exactly 8 lines that must not contain the letter e."),
        ("写一首诗。", "写一首诗，必须恰好八句，不得出现“春”字，并且每句不超过七个字。"),
        ("Name a city.", "Name a city which has at least two rivers, unless it is in Europe."),
        ("说出一个城市。", "如果不在欧洲，说出一个至少有两条河的城市。"),
    ],
)
def test_more_that_is_asked_for_counts_more(simple: str, harder: str) -> None:
    low, high = measured(simple, harder)["score"].to_list()
    assert low < high


def test_the_parts_of_a_question_and_their_sum() -> None:
    found = measured("Must it have at least 3 rooms, if it is old?", "如果房子旧，必须至少有3个房间吗？")
    assert found.select(PARTS).rows() == [(2, 2, 1, 1), (2, 2, 1, 1)]
    assert found["score"].to_list() == [6.0, 6.0]
    assert found["tokens"].to_list() == [11, 15]


def test_case_changes_nothing_and_a_word_inside_a_word_does_not_count() -> None:
    found = measured("YOU MUST GO", "you must go", "mustard goes")
    assert found["requirements"].to_list() == [1, 1, 0]


def test_only_the_question_counts_unless_all_turns_are_asked_for() -> None:
    talk = [("user", "You must, at least, add 2."), ("assistant", "1, 2, 3"), ("user", "Go on")]
    rows = turns(talk)
    assert Complexity().measure(rows, CONTEXT)["score"].to_list() == [0.0]
    assert Complexity(on="user").measure(rows, CONTEXT)["score"][0] > 3


def test_rows_without_a_question_pass_by() -> None:
    rows = pairs((None, "a"), (" ", "a"), ("q", None))
    assert Complexity().applies(rows).to_list() == [False, False, True]


@given(st.text(max_size=80), st.text(max_size=80))
def test_one_more_sentence_never_makes_it_simpler(first: str, second: str) -> None:
    both = measured(first, f"{first}\n{second}")
    assert both[0, "score"] <= both[1, "score"]
    assert both.select(pl.sum_horizontal(PARTS) == pl.col("score")).to_series().all()
