"""Passage QA: which questions a document asks and answers, in two languages, and which it leaves open."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.synthesis.passages import KETTLE, made_by, manuals, passages, told
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.passage_qa import PassageQa
from zhiling.synthesis.passage_questions import KINDS, Kind, questions
from zhiling.synthesis.passage_rows import Passage, language_of

ALL = PassageQa(per_input=100, unanswerable=0)


def answers(rows: pl.DataFrame) -> dict[str, list[str]]:
    """Question → its answers."""
    return {texts[1]: [each["text"] for each in target["answers"]] for texts, target in told(rows)}


def kinds(rows: pl.DataFrame) -> Counter[str]:
    return Counter(json.loads(extra)["question_kind"] for extra in rows["extra"].to_list())


def test_answers_stand_in_the_passage_word_for_word(tmp_path: Path) -> None:
    made = made_by(ALL, manuals(tmp_path))
    assert list(made.failures) == []
    assert set(kinds(made.rows)) == set(KINDS)
    for texts, target in told(made.rows):
        (answer,) = target["answers"]
        place = answer["place"]
        assert place["message"] == 0
        assert texts[0][place["start"] : place["end"]] == answer["text"] != ""
    roles = [
        [(message["role"], message["name"]) for message in row] for row in made.rows["messages"].to_list()
    ]
    assert all(row == [("document", "context"), ("user", "question")] for row in roles)
    assert made.rows["task"].unique().to_list() == ["qa"]


FOUND: dict[Kind, set[str]] = {
    "heading": {
        "No. Milk burns at the heater and cannot be washed off.",
        "The kettle boils water for up to four cups. It needs a socket with a fuse of its own.",
        "不可以。牛奶会粘在加热盘上，洗不掉。",
        "这款水壶一次能烧四杯水，要单独用一个插座。",
    },
    "definition": {
        "a white crust that hard water leaves",
        "the warmth of the plate after switching off",
        "opens with the button on the handle.",
        "keeps crumbs of limescale out of the cup.",
        "硬水留下的白色硬壳",
        "一种断电之后仍留在底盘上的热量",
        "按手柄上的按钮打开。",
        "不让水垢碎屑进到杯子里。",
    },
    "table": {
        *(
            "it heats",
            "wait",
            "it keeps warm",
            "press `Off`",
            "it ran dry",
            "fill it and wait for 10 minutes",
        ),
        *("正在加热", "等待", "正在保温", "按“关”键", "已经烧干", "加水后等 10 分钟"),
    },
    "procedure": {
        "Fill the kettle with 500 ml of water and 30 g of citric acid.",
        "Boil the water once.",
        "Let it stand for **20 minutes**.",
        "Pour the water away and rinse the kettle twice.",
        "往壶里倒入 500 毫升水和 30 克柠檬酸。",
        "把水烧开一次。",
        "静置 **20 分钟**。",
        "把水倒掉，再冲洗两遍。",
    },
}


@pytest.mark.parametrize("kind", FOUND)
def test_each_kind_finds_what_the_form_tells(kind: Kind, tmp_path: Path) -> None:
    rows = made_by(PassageQa(kinds=(kind,), per_input=100, unanswerable=0), manuals(tmp_path)).rows
    assert {answer for found in answers(rows).values() for answer in found} == FOUND[kind]


def test_a_gap_is_not_told_by_the_rest_of_its_sentence(tmp_path: Path) -> None:
    rows = made_by(PassageQa(kinds=("cloze",), per_input=100, unanswerable=0), manuals(tmp_path)).rows
    found = answers(rows)
    assert {answer for each in found.values() for answer in each} >= {"500", "20 minutes", "3"}
    for question, (answer,) in found.items():
        assert question.count("____") == 1
        assert answer.lower() not in question.split("____")[0].lower().split(": ", 1)[-1].split()


def test_a_heading_that_asks_is_the_question(tmp_path: Path) -> None:
    found = answers(made_by(PassageQa(kinds=("heading",), unanswerable=0), manuals(tmp_path)).rows)
    assert found["Can I boil milk?"] == ["No. Milk burns at the heater and cannot be washed off."]
    assert found["可以用来煮牛奶吗？"] == ["不可以。牛奶会粘在加热盘上，洗不掉。"]


def test_what_has_two_answers_is_not_asked(tmp_path: Path) -> None:
    twice = """\
# Fees

| Plan | Price | Price |
|---|---|---|
| Basic | 3 EUR | 4 EUR |

## Steps

1. Open the page.
2. Choose a plan.

Then:

1. Pay for it.
2. Wait for the mail.

## Terms

A plan is a set of functions. A plan is the price of them. That is a good thing.
"""
    step = PassageQa(kinds=("table", "procedure", "definition"), per_input=100, unanswerable=0)
    assert made_by(step, passages(tmp_path, {"fees.md": twice})).rows.is_empty()


def test_open_questions_get_a_section_that_does_not_answer_them(tmp_path: Path) -> None:
    rows = made_by(PassageQa(per_input=100, unanswerable=1), manuals(tmp_path)).rows
    asked = answers(made_by(ALL, manuals(tmp_path)).rows)
    pairs = zip(told(rows), rows["parents"].to_list(), strict=True)
    left_open = [(texts, parents) for (texts, target), parents in pairs if not target["answers"]]
    assert len(left_open) > 0.6 * rows.height
    for (passage, question), parents in left_open:
        assert len(set(parents)) == 2
        (answer,) = asked[question]
        assert answer.lower() not in passage.lower()
        assert (language_of(question, None)) == language_of(passage, None)
    whole = {texts[0]: parents[0] for texts, parents in left_open}
    shown = {row["messages"][0]["text"]: row["id"] for row in manuals(tmp_path).iter_rows(named=True)}
    assert whole.items() <= shown.items(), "the first parent is the passage that is shown"


def test_a_neighbour_that_answers_too_leaves_the_question_as_it_is(tmp_path: Path) -> None:
    monday, tuesday = "We open at 9 and close at 17.", "As on Monday, we open at 9 and close at 17."
    both = f"# Hours\n\n## Monday\n\n{monday}\n\n## Tuesday\n\n{tuesday}\n"
    step = PassageQa(kinds=("cloze", "heading"), unanswerable=1)
    rows = made_by(step, passages(tmp_path, {"hours.md": both})).rows
    assert all(target["answers"] for _, target in told(rows))


def test_shares_and_bounds(tmp_path: Path) -> None:
    rows = manuals(tmp_path)
    some = made_by(PassageQa(per_input=2, unanswerable=0), rows).rows
    assert max(Counter(parents[0] for parents in some["parents"].to_list()).values()) == 2
    short = made_by(PassageQa(per_input=100, unanswerable=0, max_answer=12), rows).rows
    assert max(len(answer) for each in answers(short).values() for answer in each) <= 12
    # of each kind one before any has two
    turns = made_by(PassageQa(kinds=("procedure", "cloze"), per_input=2, unanswerable=0), rows).rows
    assert kinds(turns)["procedure"] == 2


def test_order_changes_no_draw_and_the_seed_does(tmp_path: Path) -> None:
    rows = manuals(tmp_path)
    groups = rows.partition_by("group", maintain_order=True)
    step = PassageQa(per_input=2)
    first = made_by(step, rows).rows.sort("target", "parents")
    assert made_by(step, pl.concat(groups[::-1])).rows.sort("target", "parents").equals(first)
    assert not made_by(step, rows, seed=2).rows.sort("target", "parents").equals(first)


def test_language_of() -> None:
    assert language_of("打开 Wi-Fi 设置", None) == "zh"
    assert language_of("Open the 设置 page now", None) == "en"
    assert language_of("Open", "zh-CN") == "zh"
    assert language_of("打开", "en") == "en"


_PIECES = st.sampled_from(
    [
        *("# A\n", "1. one\n", "2、二\n", "- **x**: y\n", "| a | b |\n", "|---|---|\n", "| | c |\n", "```\n"),
        *(
            "\n",
            "X is a b. ",
            "水是指液体。",
            "**",
            "“",
            "”",
            "`",
            "\\|",
            "  - in\n",
            "What?\n",
            "12 个",
            ". ",
        ),
    ]
)


_LANGUAGES: st.SearchStrategy[Language] = st.sampled_from(("en", "zh"))


@given(st.lists(_PIECES, max_size=30).map("".join), _LANGUAGES)
@settings(max_examples=200, deadline=None)
def test_any_text_gives_answers_that_stand_in_it(text: str, language: Language) -> None:
    passage = Passage(text, ("A",), "T")
    for question in questions(passage, language, KINDS, 300):
        assert 0 <= question.answer.start < question.answer.end <= len(text)
        assert text[question.answer.start : question.answer.end].strip()
        assert question.asked(language, 0.99)


def test_the_same_question_is_never_asked_twice_of_a_passage() -> None:
    found = questions(Passage(KETTLE, (), "Kettle"), "en", KINDS, 300)
    asked = [(each.wording, each.subjects) for each in found]
    assert len(asked) == len(set(asked)) > 5
