"""Same facts: numbers are equal by value in every spelling, dates by day; what is lost or added is told."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.rows.target import Translation
from zhiling.rows.templates import Example, Library, Turn, render
from zhiling.verification.facts import differing, facts
from zhiling.verification.names import foreign_names, names
from zhiling.verification.same_facts import SameFacts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,200 men", "１２００人"),
        ("12 hundred and 1.2k", "一千二百"),
        ("three point: 3.50 million", "三百五十万、350万，三点"),
        ("one hundred and twenty", "一百二十"),
        ("30,000 and 1.2 billion", "3万和12亿"),
        ("35 thousand", "3万5千"),
        ("5%, twenty-five percent", "百分之五，百分之二十五"),
        ("a 30 percent discount", "打七折"),
        ("two dogs, both of them", "两只狗，它们俩"),
        ("half past seven; two and a half hours", "七点半；两个半小时"),
        ("It is ten to eight.", "现在七点五十分。"),
        ("at eight-thirty", "八点半"),
        ("in nineteen ninety, in the 1980s", "一九九〇年，八十年代"),
        ("the twentieth century", "20世纪"),
        ("fifty kilometres", "五十千米"),
        ("in ten minutes", "十分钟后"),
        ("very well", "十分好，千万别走，一一说明"),
        ("seven or eight people", "七八个人"),
        ("壹佰贰拾元", "120 yuan"),
        ("100 000 people", "十万人"),
        ("March 5, 2024", "2024年3月5日"),
        ("the 5th of March 2024", "二〇二四年三月五号"),
        ("2024-03-05", "March 5th, 2024"),
        ("3/5/2024", "2024年5月3日"),
        ("thirty-first of May", "5月31日"),
        ("in March, on Monday", "三月份，星期一"),
        ("It may rain. March on!", "可能下雨。前进！"),
        ("It is 15:30.", "下午三点半。"),
        ("See https://a.example/b?c=1, write to x@y.example", "见https://a.example/b?c=1，写信到x@y.example"),
        ("Model A-102, version 1.2.3", "型号A102，版本v1.2.3"),
        ("World War II", "第二次世界大战"),
        ("1,2,3 and 2,5", "1、2、3和2、5"),
        ("", "好"),
    ],
)  # fmt: skip
def test_equal_facts(one: str, other: str) -> None:
    assert list(map(str, differing(one, other))) == []
    assert list(map(str, differing(other, one))) == []


@pytest.mark.parametrize(
    ("source", "reply", "told"),
    [
        ("It costs 1,200 crowns.", "它卖1300克朗。", ["number '1,200' is missing", "number '1300' is added"]),
        ("我有三只狗。", "I have five dogs.", ["number '三' is missing", "number 'five' is added"]),
        ("3.5 million", "35万", ["number '3.5 million' is missing", "number '35万' is added"]),
        ("5%", "5", ["percent '5%' is missing", "number '5' is added"]),
        ("May 5 and June 7", "五月七日和六月五日",
         ["date 'May 5' is missing", "date 'June 7' is missing",
          "date '五月七日' is added", "date '六月五日' is added"]),
        ("in June", "七月", ["month 'June' is missing", "month '七月' is added"]),
        ("on Friday", "星期四", ["weekday 'Friday' is missing", "weekday '星期四' is added"]),
        ("go to https://a.example/b", "请看https://a.example/c",
         ["link 'https://a.example/b' is missing", "link 'https://a.example/c' is added"]),
        ("error E42", "错误E43", ["code 'E42' is missing", "code 'E43' is added"]),
        ("at 9:40", "九点四十五分", ["number '9:40' is missing", "number '四十五' is added"]),
    ],
)  # fmt: skip
def test_what_is_lost_and_added_is_told(source: str, reply: str, told: list[str]) -> None:
    assert list(map(str, differing(source, reply))) == told
    added = [each for each in told if each.endswith("added")]
    assert list(map(str, differing(source, reply, supported=True))) == added


def test_names_are_capitals_amid_a_sentence_titles_and_latin_words_in_chinese() -> None:
    assert names("Yesterday Ada Wu met Mr Otto, I think. Then he left.") == ["Ada Wu", "Mr Otto"]
    assert names("他用 Polars 读《红楼梦》") == ["红楼梦", "Polars"]
    assert foreign_names("We saw Ada and Bo Lee.", "Yesterday ADA was here with Lee.") == []
    assert foreign_names("他用 Spark 读数据", "他用 Polars 读数据") == ["Spark"]


def judged(step: SameFacts, source: str, reply: str, task: str, target: Any = None) -> dict[str, Any]:
    rows = pairs((source, reply)).with_columns(
        task=pl.lit(task), target=pl.lit(json.dumps(target) if target else None, dtype=pl.String)
    )
    assert step.applies(rows).to_list() == [True]
    return step.decide(rows, CONTEXT).row(0, named=True)


TO_CHINESE = {"source_language": "en", "target_language": "zh"}
LONG = "The lamp of Heron Works runs for 40 hours when the battery is full and the night is warm."


def test_translations_keep_all_and_summaries_add_nothing() -> None:
    step, three = SameFacts(), "三百小时" * 10
    for reply, task, target, reason in (
        ("鹭灯在电池充满、夜里暖和的时候能亮四十个小时。", "translation", TO_CHINESE, None),
        ("鹭灯在电池充满、夜里暖和的时候能亮很久很久。", "translation", TO_CHINESE, "number"),
        ("鹭灯。", "translation", TO_CHINESE, "length"),
        (three * 3, "translation", TO_CHINESE, "length"),
        (LONG, "translation", TO_CHINESE, "language"),
        ("The lamp runs long.", "summarisation", None, None),
        ("The lamp runs for 40 hours.", "summarisation", None, None),
        ("The lamp runs for 41 hours.", "summarisation", None, "number"),
        (LONG + " Indeed.", "summarisation", None, "length"),
    ):
        assert judged(step, LONG, reply, task, target)["reason"] == reason, reply
    assert judged(SameFacts(most_ratio=None), LONG, LONG + " So.", "summarisation")["reason"] is None
    assert judged(SameFacts(least_ratio=None), LONG, "40小时。", "translation")["reason"] is None
    named = SameFacts(compare="supported", names=True)
    assert judged(named, LONG, "It was made by Otto.", "qa")["problems"] == "name 'Otto' is added"


def test_other_tasks_pass_by_unless_asked_for() -> None:
    rows = pairs(("a 3", "b"), ("a 3", None), ("", "b")).with_columns(task=pl.lit("dialogue"))
    assert not SameFacts().applies(rows).any()
    assert SameFacts(compare="equal").applies(rows).to_list() == [True, False, False]


def test_a_templates_words_are_no_part_of_source_and_reply() -> None:
    example = Example(
        "translation", [Turn("user", "I have 3 dogs."), Turn("assistant", "我有三只狗。")],
        Translation(source_language="en", target_language="zh"),
    )  # fmt: skip
    row = render(example, Library().get("translation/en/labelled"))
    assert row.messages[1][1] != "我有三只狗。"
    frame = pairs((row.messages[0][1], row.messages[1][1]), (row.messages[0][1], "我有三只狗。"))
    frame = frame.with_columns(task=pl.lit("translation"), target=pl.lit(row.target))
    assert SameFacts().decide(frame, CONTEXT)["reason"].to_list() == [None, "unreadable_reply"]


@given(st.integers(2, 10**9))
def test_a_number_is_itself_with_and_without_separators(value: int) -> None:
    assert differing(f"{value:,} hats", f"{value}顶帽子") == []
    assert differing(f"{value:,} hats", f"{value + 1}顶帽子") != []


@given(st.text(max_size=60))
def test_a_text_has_its_own_facts(text: str) -> None:
    assert differing(text, text) == []
    assert set(facts(text).claims) <= facts(text).mentions
