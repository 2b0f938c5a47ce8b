"""Grounding: replies that a document bears out score high in both languages, invented ones low."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, empty, pairs, turns
from zhiling.curation.grounding import Grounding
from zhiling.curation.support import PARTS, numbers, support
from zhiling.text.numerals import han_value

ENGLISH = (
    "The lamp of Heron Works runs for 40 hours. Its battery was made by Otto Lindqvist in the port of Sund."
)
CHINESE = "鹭灯的续航时间为四十小时。电池由港口工厂在二〇二四年制造，保修期为两年。"


def answered(document: str, reply: str) -> pl.DataFrame:
    return turns([("document", document), ("user", "?"), ("assistant", reply)])


@pytest.mark.parametrize(
    ("document", "reply", "status"),
    [
        (ENGLISH, "The lamp of Heron Works runs for 40 hours.", "supported"),
        (ENGLISH, "It is a bicycle with 3 wheels and costs 900 crowns, says Maria Olsen.", "unsupported"),
        (ENGLISH, "The lamp of Heron Works runs for 70 hours.", "unsupported"),
        (CHINESE, "续航时间为40小时。", "supported"),
        (CHINESE, "保修期为五年，价格是300元。", "unsupported"),
        (CHINESE, "鹭灯的续航时间为七十小时。", "unsupported"),
    ],
)
def test_what_the_document_says_is_told_from_what_it_does_not(document: str, reply: str, status: str) -> None:
    assert Grounding(confidence=0.6).measure(answered(document, reply), CONTEXT)["status"].item() == status


def test_the_status_abstains_between_the_bounds() -> None:
    rows = answered(ENGLISH, "A Swedish maker built the cell, and the lamp lasts for 40 hours in total.")
    score = Grounding().measure(rows, CONTEXT)["score"].item()
    sure = max(score, 1 - score)
    assert Grounding(confidence=sure - 0.01).measure(rows, CONTEXT)["status"].item() != "unsure"
    assert Grounding(confidence=sure + 0.01).measure(rows, CONTEXT)["status"].item() == "unsure"


def test_rows_without_a_document_or_a_reply_pass_by() -> None:
    rows = pl.concat(
        [
            answered(ENGLISH, "40 hours"),
            answered("", "40 hours"),
            answered(ENGLISH, " "),
            turns([("user", ENGLISH)], ids=["u"]),
            pairs(("question", "reply")),
            turns([("user", "?"), ("assistant", "40"), ("document", ENGLISH)], ids=["late"]),
        ]
    )
    assert Grounding().applies(rows).to_list() == [True, False, False, False, False, False]
    assert Grounding(against="prompt").applies(rows).to_list() == [True, True, False, False, True, True]
    assert Grounding().measure(empty(), CONTEXT).height == 0


def test_numbers_are_compared_by_value_in_both_scripts() -> None:
    assert numbers("1,000 men, ３ ships, 2.50 miles, 007") == {"1000", "3", "2.5", "7"}
    assert numbers("三十天，一万二千人，二〇二四年，两年") == {"30", "12000", "2024", "2"}
    values = ("十", "一百零五", "三亿", "一万二千三百", "一九九八")
    assert [han_value(text) for text in values] == [10, 105, 300_000_000, 12_300, 1998]


def test_a_number_of_the_question_claims_nothing() -> None:
    named = dict(
        zip(PARTS, support(ENGLISH, "Does it run for 99 hours?", "Not 99, but 40 hours."), strict=True)
    )
    assert named["numbers"] == 1


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_every_part_is_a_share_and_a_text_bears_itself_out(document: str, question: str, reply: str) -> None:
    assert all(0 <= part <= 1 for part in support(document, question, reply))
    assert support(reply, question, reply)[:3] == (1, 1, 1)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("ab包裹"), max_size=12), st.lists(st.sampled_from("ab包裹"), max_size=10))
def test_the_longest_run_is_that_of_trying_all(source: list[str], said: list[str]) -> None:
    runs = [
        length
        for start in range(len(said))
        for length in range(1, len(said) - start + 1)
        for place in range(len(source) - length + 1)
        if source[place : place + length] == said[start : start + length]
    ]
    expected = max(runs, default=0) / len(said) if said else 1.0
    assert support(" ".join(source), "", " ".join(said))[PARTS.index("run")] == pytest.approx(expected)
