"""Label errors of answers: wrong spans are found beside other spans; what has no place passes by."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.curation.bilingual import help_desk
from tests.unit.curation.frames import CONTEXT, turns
from zhiling.curation.answer_errors import LEAST, Spans, believed, wrong_share
from zhiling.curation.answer_features import kind_asked
from zhiling.curation.answer_spans import Passage, asked, asked_rows
from zhiling.curation.label_errors import LabelErrors

pytest.importorskip("sklearn")

NAMES = (
    "Anna Berg",
    "Bruno Kell",
    "Clara Voss",
    "David Lund",
    "Emil Stern",
    "Frida Holm",
    "Ida Roth",
    "Jon Aas",
)
TOWNS = ("Bergen", "Dover", "Lisbon", "Malmo", "Narvik", "Oslo", "Porto", "Riga")
ZH_NAMES = ("王小明", "李建国", "张美丽", "刘德全", "陈大文", "杨光明", "赵子文", "黄小红")
ZH_TOWNS = ("上海市", "北京市", "广州市", "成都市", "南京市", "武汉市", "杭州市", "西安市")
Row = tuple[str, str, str]
"""Passage, question, answer."""


def stories() -> list[Row]:
    """Three questions on each of eight English and eight Chinese passages."""
    made: list[Row] = []
    for at in range(8):
        year, name, town = 1801 + 7 * at, NAMES[at], TOWNS[at]
        text = (
            f"The old bridge was built by {name} from grey stone. It stands in {town}, where the river is "
            f"wide. In {year} a great flood carried its towers away."
        )
        made += [
            (text, "Who built the old bridge?", name),
            (text, "Where does the bridge stand?", town),
            (text, "When did the flood carry the towers away?", str(year)),
        ]
        name, town = ZH_NAMES[at], ZH_TOWNS[at]
        text = f"这座石桥由{name}设计建造。石桥位于{town}，那里河面很宽。{year}年的洪水冲走了桥上的塔楼。"
        made += [
            (text, "谁设计建造了石桥？", name),
            (text, "石桥位于哪里？", town),
            (text, "洪水是哪一年冲走塔楼的？", f"{year}年"),
        ]
    return made


def table(stories: list[Row]) -> pl.DataFrame:
    rows = turns(*[[("document", passage), ("user", question)] for passage, question, _ in stories])
    return rows.with_columns(target=pl.Series([told((passage, answer)) for passage, _, answer in stories]))


def told(*answers: tuple[str, str]) -> str:
    """The target of these answers, each at its first place in the passage."""
    starts = [passage.find(answer) for passage, answer in answers]
    return json.dumps(
        {
            "answers": [
                {"text": answer, "place": {"message": 0, "start": start, "end": start + len(answer)}}
                for start, (_, answer) in zip(starts, answers, strict=True)
            ]
        }
    )


STORIES = stories()
PLANTED = {0: "grey stone", 14: "the river is wide", 27: "河面很宽", 41: "桥上的塔楼"}


def spoiled() -> list[Row]:
    return [(text, asks, PLANTED.get(at, answer)) for at, (text, asks, answer) in enumerate(STORIES)]


def test_planted_spans_are_the_lowest_in_english_and_chinese() -> None:
    answer = LabelErrors().measure(table(spoiled()), CONTEXT)
    assert sorted(answer["score"].arg_sort()[:4].to_list()) == sorted(PLANTED)
    assert answer["score"].is_between(-1, 1).all()
    assert answer["probability"].is_between(0, 1).all()
    right = [STORIES[at][2] for at in PLANTED]
    assert sum(a == b for a, b in zip(answer["suggested"].gather(list(PLANTED)), right, strict=True)) >= 3


def test_where_all_answers_are_right_none_is_below_0() -> None:
    assert (LabelErrors().measure(table(STORIES), CONTEXT)["score"] < 0).sum() == 0


def test_one_right_answer_of_several_is_enough() -> None:
    rows = table(spoiled())
    alone = LabelErrors().measure(rows, CONTEXT)
    text, _, right = STORIES[0]
    both = rows.with_columns(target=rows["target"].scatter(0, told((text, "grey stone"), (text, right))))
    answer = LabelErrors().measure(both, CONTEXT)
    assert alone["score"].rank()[0] <= 4
    assert answer["score"].rank()[0] > 4


def test_order_changes_nothing_and_labels_in_the_same_table_are_judged_as_if_alone() -> None:
    desk = help_desk(15)
    rows = pl.concat([table(spoiled()), desk.select(table(STORIES).columns)], how="vertical_relaxed")
    rows = rows.with_columns(id=pl.Series([f"{number:04}" for number in range(rows.height)]))
    step = LabelErrors(features="ngrams")
    assert step.applies(rows).all()
    whole = step.measure(rows, CONTEXT)
    turned = step.measure(rows.reverse(), CONTEXT).reverse()
    assert whole["suggested"].to_list() == turned["suggested"].to_list()
    assert whole["score"].to_list() == pytest.approx(turned["score"].to_list(), abs=1e-6)
    apart = pl.concat([step.measure(rows[:48], CONTEXT), step.measure(rows[48:], CONTEXT)])
    assert whole["suggested"].to_list() == apart["suggested"].to_list()
    assert whole["score"].to_list() == pytest.approx(apart["score"].to_list(), abs=1e-6)


@pytest.mark.parametrize(
    "target",
    [
        None,
        "[",
        '{"answers":[]}',
        '{"answers":[{"text":"Bergen"}]}',
        '{"answers":[{"text":"Oslo","place":{"message":0,"start":0,"end":4}}]}',
        '{"answers":[{"text":"The","place":{"message":7,"start":0,"end":3}}]}',
        '{"answers":[{"text":"The","place":{"message":0,"start":-3,"end":3}}]}',
        '{"answers":[{"text":"The","place":{"message":0,"start":0,"end":3}}],"template":{"wording":"x","fields":[]}}',
    ],
)
def test_what_has_no_place_in_its_passage_passes_by(target: str | None) -> None:
    rows = table(STORIES)
    rows = rows.with_columns(target=rows["target"].scatter(0, target))
    assert (~LabelErrors().applies(rows)).arg_true().to_list() == [0]


def test_one_row_one_passage_and_an_empty_passage_pass_by() -> None:
    step = LabelErrors()
    assert not step.applies(table(STORIES[:1])).any()
    assert not step.applies(table([STORIES[0]] * 9)).any()
    assert not step.applies(table([("", "Who?", "")] * 9)).any()
    assert not step.applies(table([("Oslo lies north.", " ", "Oslo")] * 9)).any()
    assert step.measure(table(STORIES).clear(), CONTEXT).columns == list(step.writes())


def test_passages_that_are_all_answer_are_believed_for_want_of_another_span() -> None:
    rows = table([(name, "Who was it?", name) for name in NAMES])
    answer = LabelErrors().measure(rows, CONTEXT)
    assert answer["score"].to_list() == [1.0] * len(NAMES)
    assert answer["suggested"].null_count() == len(NAMES)


def test_a_long_passage_is_judged() -> None:
    long = "The parcel left on Monday. " * 4000
    rows = table([*STORIES, (long, "When did the parcel leave?", "Monday")])
    assert LabelErrors().measure(rows, CONTEXT).height == rows.height


def test_the_question_is_the_message_named_so_or_the_last_of_the_user() -> None:
    def turn(role: str, text: str, name: str | None = None) -> dict[str, Any]:
        return {"role": role, "text": text, "name": name}

    target = told(("a b", "b"))
    passage = turn("document", "a b", "context")
    named = asked([passage, turn("user", "Which?", "question"), turn("user", "Please.")], target)
    assert named is not None
    assert (named.question, named.places) == ("Which?", ((2, 3),))
    last = asked([passage, turn("user", "Hello."), turn("user", "Which?")], target)
    assert last is not None
    assert last.question == "Which?"
    assert asked([passage, turn("assistant", "b")], target) is None
    assert asked_rows(table(STORIES))[0] is not None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_share_of_wrong_spans_is_bounded_from_their_scores(share: float) -> None:
    draws = np.random.default_rng(2)
    others = draws.normal(size=20_000)
    wrong = draws.normal(size=round(share * 4000))
    given = np.concatenate([wrong, draws.normal(4, 1, 4000 - len(wrong))])
    assert wrong_share(given, others) == pytest.approx(max(share, LEAST), abs=0.03)


def test_as_many_are_believed_wrong_as_the_share_says() -> None:
    draws = np.random.default_rng(3)
    row, given = np.repeat(np.arange(500), 9), np.tile(np.arange(9) == 0, 500)
    odds = draws.normal(size=len(row)) + 5 * (given & (row >= 100))
    right = believed(Spans(row, given, [""] * len(row), np.empty((len(row), 0), np.float32)), odds)
    assert (1 - right).mean() == pytest.approx(0.2, abs=0.04)
    assert right[:100].max() < right[100:].mean()


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("How many years did it take?", "一共用了多少年？"),
        ("In what year was it built?", "它是哪一年建成的？"),
        ("Who built it?", "是谁建造的？"),
        ("Which city is it in?", "它在哪里？"),
        ("Why did it fall?", "它为什么倒塌？"),
        ("How did it fall?", "它是怎么倒塌的？"),
    ],
)
def test_questions_of_one_kind_are_told_in_both_languages(english: str, chinese: str) -> None:
    assert kind_asked(english) == kind_asked(chinese) < 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("In 1887 the Society of Arts bought it.", ["1887", "Society of Arts"]),
        ("他于1998年写了《远方的船》，卖出三千本。", ["1998年", "远方的船", "卖出三千本"]),
    ],
)
def test_candidates_hold_names_numbers_titles_and_clauses(text: str, expected: list[str]) -> None:
    passage = Passage(text)
    found = [passage.words_of(span) for span in passage.candidates]
    assert set(expected) <= set(found)
    assert len(set(passage.candidates)) == len(passage.candidates)


@pytest.mark.parametrize("text", ["7" * 300_000, "好" * 100_000, "a@b.c http://d.example/?token=" * 10_000])
def test_an_answer_unlike_all_others_leaves_no_gap(text: str) -> None:
    rows = table([*STORIES, (text, text[:2000], text[:3]), (text, "How many?", text)])
    answer = LabelErrors().measure(rows, CONTEXT)
    assert answer["score"].is_between(-1, 1).all()
