"""Sequences: procedures of documents, what their steps rest on, and questions about their order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.synthesis.passages import made_by, manuals, passages, told
from zhiling.rows import target
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.passage_rows import Passage
from zhiling.synthesis.procedures import operations, procedures, told_steps
from zhiling.synthesis.sequences import KINDS, Sequences

GOALS = {"Kettle: Descaling", "电水壶：除垢步骤"}
STEPS = {
    "Kettle: Descaling": [
        "Fill the kettle with 500 ml of water and 30 g of citric acid.",
        "Boil the water once.",
        "Let it stand for 20 minutes.",
        "Pour the water away and rinse the kettle twice.",
    ],
    "电水壶：除垢步骤": [
        "往壶里倒入 500 毫升水和 30 克柠檬酸。",
        "把水烧开一次。",
        "静置 20 分钟。",
        "把水倒掉，再冲洗两遍。",
    ],
}


def of_kind(rows: pl.DataFrame, kind: str) -> list[tuple[Sequence[str], dict[str, Any]]]:
    chosen = [json.loads(extra)["sequence_kind"] == kind for extra in rows["extra"].to_list()]
    return told(rows.filter(pl.Series(chosen)))


def test_a_plan_holds_the_steps_and_what_they_need(tmp_path: Path) -> None:
    plans = {
        texts[0]: truth for texts, truth in of_kind(made_by(Sequences(), manuals(tmp_path)).rows, "plan")
    }
    assert {goal: truth["steps"] for goal, truth in plans.items()} == STEPS
    english, chinese = (plans[goal]["operations"] for goal in STEPS)
    assert english[0] == {"inputs": ["500 ml of water", "30 g of citric acid"]}
    assert chinese[0] == {"inputs": ["500 毫升水", "30 克柠檬酸"]}
    assert [each.get("after") for each in english] == [None, [0], [1], [2]]


def test_mixed_steps_come_back_in_order(tmp_path: Path) -> None:
    rows = made_by(Sequences(kinds=("order",)), manuals(tmp_path)).rows
    assert rows["task"].to_list() == ["sequence", "sequence"]
    for texts, truth in told(rows):
        shown = [line[2:] for line in texts[0].splitlines() if line.startswith("- ")]
        assert shown != truth["steps"]
        assert sorted(shown) == sorted(truth["steps"])


def test_what_is_left_follows_what_is_done(tmp_path: Path) -> None:
    rows = made_by(Sequences(kinds=("continue",)), manuals(tmp_path)).rows
    whole = {step for steps in STEPS.values() for step in steps}
    for texts, truth in told(rows):
        done = [line.partition(". ")[2] for line in texts[0].splitlines() if line[:1].isdigit()]
        assert done
        assert [*done, *truth["steps"]] in STEPS.values()
        assert set(truth["steps"]) < whole
        assert all(
            after < number
            for number, each in enumerate(truth["operations"])
            for after in each.get("after", [])
        )


def test_the_step_before_is_a_piece_of_the_passage(tmp_path: Path) -> None:
    rows = made_by(Sequences(kinds=("before",)), manuals(tmp_path)).rows
    assert rows["task"].to_list() == ["qa", "qa"]
    for texts, truth in told(rows):
        (answer,) = truth["answers"]
        place = answer["place"]
        assert texts[0][place["start"] : place["end"]] == answer["text"]
        (steps,) = [each for goal, each in STEPS.items() if goal in texts[1]]
        after = next(step for step in steps if f"“{step}”" in texts[1])
        assert steps[steps.index(after) - 1] == answer["text"].replace("**", "")


def test_a_shown_passage_is_the_context_of_a_plan(tmp_path: Path) -> None:
    rows = made_by(Sequences(kinds=("plan",), show_passage=True), manuals(tmp_path)).rows
    shown = [[(message["role"], message["name"]) for message in row] for row in rows["messages"].to_list()]
    assert shown == [[("document", "context"), ("user", None)]] * 2


TEXTS: dict[Language, str] = {
    "en": "First, open the lid. Then fill in the beans, and finally press the button. It takes a minute.",
    "zh": "首先打开盖子，然后倒入豆子，不要太满，最后按下按钮。需要一分钟。",
}
TOLD: dict[Language, list[str]] = {
    "en": ["Open the lid", "Fill in the beans", "Press the button"],
    "zh": ["打开盖子", "倒入豆子，不要太满", "按下按钮"],
}


@pytest.mark.parametrize("language", TEXTS)
def test_running_text_with_cues(language: Language) -> None:
    assert told_steps(TEXTS[language], language) == TOLD[language]
    (found,) = procedures(Passage(TEXTS[language], (), "Coffee"), language, 3)
    assert found.goal == "Coffee"
    assert found.places == ()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The first thing is the lid. It then opens. Finally there is a button."),
        ("en", "First, open the lid. It is red. It is new. It is big. Then press the button."),
        ("zh", "按钮最后才用得到。然后没有了。"),
        ("zh", "先看盖子，它是红的，也是新的，而且很大，还很重，再按按钮。"),
    ],
)
def test_words_that_are_no_cues(language: Language, text: str) -> None:
    assert told_steps(text, language) == []


def test_what_a_step_gives_and_which_it_follows() -> None:
    english = operations(
        ["Hold `Reset` until the light turns red.", "Write the code down. The app shows a map.",
         "Meanwhile, open the door using a paper clip.", "Enter the value from step 1."], "en"
    )  # fmt: skip
    assert english[0].results == ["the light turns red"]
    assert english[0].inputs == ["Reset"]
    assert english[1].results == ["The app shows a map"]
    assert english[2].inputs == ["a paper clip"]
    assert [each.after for each in english] == [[], [0], [0], [0]]
    chinese = operations(
        [
            "按住“重置”键，直到灯变红。",
            "写下验证码，屏幕上会出现地图。",
            "同时用回形针按一下小孔。",
            "第 1 步完成后，输入验证码。",
        ],
        "zh",
    )
    assert chinese[0].results == ["灯变红"]
    assert chinese[0].inputs == ["重置"]
    assert chinese[1].results == ["屏幕上会出现地图"]
    assert chinese[2].inputs == ["回形针"]
    assert [each.after for each in chinese] == [[], [0], [0], [0]]


def test_steps_that_need_not_wait_are_not_put_in_order(tmp_path: Path) -> None:
    text = "# Tea\n\n1. Boil the water.\n2. Warm the pot.\n3. Meanwhile, weigh the tea.\n4. Pour the water.\n"
    rows = made_by(Sequences(), passages(tmp_path, {"tea.md": text})).rows
    assert [json.loads(extra)["sequence_kind"] for extra in rows["extra"].to_list()] == ["plan"]


def test_lists_that_are_no_procedures_are_left_alone(tmp_path: Path) -> None:
    text = """\
# Prices

1. Blue tea: 3 EUR
2. Green tea: 4 EUR
3. Black tea: 5 EUR

## 名次

1. 蓝茶
2. 绿茶
3. 红茶

## How to brew

- Boil the water.
- Warm the pot.
- Pour the tea.
"""
    made = made_by(Sequences(), passages(tmp_path, {"prices.md": text}))
    assert made.rows.is_empty()
    assert list(made.failures) == []


def test_two_procedures_of_one_heading_are_told_apart_by_their_lines(tmp_path: Path) -> None:
    lists = "\n\n{}\n\n1. Open it.\n2. Turn it.\n3. Close it.\n"
    named = "# Lock" + lists.format("On the left:") + lists.format("On the right:")
    alike = "# Lock" + lists.format("Do this.") + lists.format("Do that.")
    plan = Sequences(kinds=("plan",))
    goals = [texts[0] for texts, _ in told(made_by(plan, passages(tmp_path, {"a.md": named})).rows)]
    assert goals == ["Lock: On the left", "Lock: On the right"]
    assert made_by(plan, passages(tmp_path, {"a.md": alike})).rows.is_empty()


def test_least_steps_and_inner_items(tmp_path: Path) -> None:
    text = "# Lamp\n\n1. Open the box.\n   - Keep the screws.\n   - Keep the foil.\n2. Plug it in.\n"
    rows = passages(tmp_path, {"lamp.md": text})
    assert made_by(Sequences(), rows).rows.is_empty()
    ((_, truth),) = told(made_by(Sequences(least_steps=2, kinds=("plan",)), rows).rows)
    assert truth["steps"] == ["Open the box. Keep the screws. Keep the foil.", "Plug it in."]


def test_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    rows = manuals(tmp_path)
    first = made_by(Sequences(), rows).rows.sort("parents", "sample")
    assert made_by(Sequences(), rows.reverse()).rows.sort("parents", "sample").equals(first)
    assert first.height == len(STEPS) * len(KINDS)


@given(st.lists(st.text("ab。，.; 先再然后最后12\n*`", max_size=30), min_size=1, max_size=8))
def test_dependencies_point_back(steps: list[str]) -> None:
    for language in ("en", "zh"):
        found = operations(steps, language)
        assert len(found) == len(steps)
        assert all(after < number for number, each in enumerate(found) for after in each.after)
        truth = target.Steps(steps=steps, operations=list(found))
        assert target.Steps.model_validate_json(target.spelled(truth)) == truth
