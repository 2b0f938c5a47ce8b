"""Sequences: order, inputs, results and circles in both languages, and how a reply tells the steps."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, turns
from zhiling.rows.target import Steps
from zhiling.rows.templates import Example, Turn, builtin, render
from zhiling.verification.sequence_order import SequenceOrder

TEA = ["Boil the water.", "Warm the pot.", "Put the leaves into the pot.", "Pour the water onto the leaves."]
TEA_NEEDS: list[dict[str, Any]] = [
    {"inputs": ["water"], "results": ["hot water"]},
    {"inputs": ["pot"], "results": ["warm pot"]},
    {"inputs": ["warm pot", "leaves"], "results": ["filled pot"], "after": [1]},
    {"inputs": ["Hot Water", "filled pot"], "results": ["tea"], "after": [0, 2]},
]
RICE = ["淘米。", "把米放进锅里。", "加水。", "按下开关。"]
RICE_NEEDS: list[dict[str, Any]] = [
    {"inputs": ["米"], "results": ["净米"]},
    {"inputs": ["净米", "锅"], "results": ["米锅"]},
    {"inputs": ["米锅", "水"], "results": ["水米锅"], "after": [1]},
    {"inputs": ["水米锅"], "results": ["米饭"], "after": [2]},
]


def judged(target: Any, reply: str | None = None) -> dict[str, Any]:
    messages = [("user", "How?"), *([("assistant", reply)] if reply is not None else [])]
    text = target if isinstance(target, str) else json.dumps(target)
    rows = turns(messages).with_columns(pl.Series("target", [text], dtype=pl.String))
    assert SequenceOrder().applies(rows).all()
    return SequenceOrder().decide(rows, CONTEXT).row(0, named=True)


def sequence(steps: list[str], needs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"steps": steps, "operations": needs, **more}


def swapped(listed: list[Any], first: int, second: int) -> list[Any]:
    order = list(range(len(listed)))
    order[first], order[second] = second, first
    return [listed[place] for place in order]


@pytest.mark.parametrize(("steps", "needs"), [(TEA, TEA_NEEDS), (RICE, RICE_NEEDS)], ids=["en", "zh"])
def test_steps_that_can_be_carried_out(steps: list[str], needs: list[dict[str, Any]]) -> None:
    assert judged(sequence(steps, needs))["reason"] is None
    bare = [{**need, "after": []} for need in needs]
    assert judged(sequence(swapped(steps, 0, 1), swapped(bare, 0, 1)))["reason"] == (
        None if steps is TEA else "missing_input"
    )
    assert judged(sequence(swapped(steps, 2, 3), swapped(bare, 2, 3)))["reason"] == "missing_input"
    last = len(steps) - 1
    assert (
        judged(sequence(steps, [*needs[:last], {**needs[last], "after": [0, 7]}]))["reason"] == "wrong_order"
    )


def test_what_is_given_and_what_is_expected() -> None:
    given = {"given": ["water", "pot", "leaves"], "results": ["tea"]}
    assert judged(sequence(TEA, TEA_NEEDS, **given))["reason"] is None
    answer = judged(sequence(TEA, TEA_NEEDS, given=["water", "pot"], results=["tea", "cake"]))
    assert answer["reason"] == "missing_input"
    assert answer["problems"].splitlines() == [
        "step 3 needs 'leaves', and nothing gives it",
        "'cake' is expected, and no step gives it",
    ]
    assert judged(sequence(RICE, RICE_NEEDS, results=["粥"]))["reason"] == "missing_result"


def test_circles() -> None:
    needs = [{"after": [1]}, {"after": [0]}, {}, {}]
    answer = judged(sequence(RICE, needs))
    assert answer["reason"] == "cycle"
    assert answer["problems"].startswith("steps wait for each other: ")
    assert judged(sequence(RICE, [{"after": [0]}, {}, {}, {}]))["reason"] == "cycle"
    through = [{"inputs": ["甲"], "results": ["乙"]}, {"inputs": ["乙"], "results": ["甲"]}]
    assert judged(sequence(RICE[:2], through))["reason"] == "cycle"
    same = [{"inputs": ["面团"], "results": ["面团"]}, {"inputs": ["面团"], "results": ["面包"]}]
    assert judged(sequence(RICE[:2], same))["reason"] is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"steps": ["Open.", "Go back to step 1."]}, None),
        ({"steps": ["Open.", "Go back to step 3."]}, "wrong_number"),
        ({"steps": ["打开。", "回到第一步。"]}, None),
        ({"steps": ["打开。", "回到第五步。"]}, "wrong_number"),
        ({"steps": ["Open.", "open. "]}, "repeated"),
        ({"steps": ["Open.", " "]}, "broken_target"),
        ({"steps": ["Open."], "operations": []}, "broken_target"),
        ('{"steps": 3}', "broken_target"),
        ({"steps": []}, None),
    ],
)
def test_steps_themselves(target: Any, reason: str | None) -> None:
    assert judged(target)["reason"] == reason


def numbered(*steps: tuple[int, int]) -> str:
    """A list of the numbers, each before this step of the tea."""
    return "\n".join(f"{number}. {TEA[place].rstrip('.')}" for number, place in steps)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (numbered((1, 0), (2, 1), (3, 2), (4, 3)), None),
        (json.dumps(TEA), None),
        (" -> ".join(TEA), None),
        (numbered((1, 0), (2, 2), (3, 1), (4, 3)), "wrong_order"),
        (numbered((1, 0), (2, 1), (3, 3)), "missing_step"),
        (numbered((1, 0), (2, 1), (4, 2), (5, 3)), "wrong_number"),
    ],
)
def test_a_reply_tells_all_steps_in_their_order(reply: str, reason: str | None) -> None:
    assert judged({"steps": TEA}, reply)["reason"] == reason


def test_chinese_replies() -> None:
    right = "第一步：淘米。\n第二步：把米放进锅里。\n第三步：加水。\n第四步：按下开关。"
    assert judged({"steps": RICE}, right)["reason"] is None
    assert judged({"steps": RICE}, right.replace("第三步", "第五步"))["reason"] == "wrong_number"
    assert (
        judged({"steps": RICE}, "一、淘米\n二、加水\n三、把米放进锅里\n四、按下开关")["reason"]
        == "wrong_order"
    )


def test_every_wording_tells_the_steps() -> None:
    example = Example("sequence", [Turn("user", "Tea, please.")], Steps(steps=[*TEA, *RICE]))
    for wording in builtin("sequence").values():
        row = render(example, wording)
        assert judged(row.target, row.messages[-1][1])["reason"] is None, wording.name


@given(st.permutations(range(5)))
def test_only_the_order_of_a_chain_is_right(order: list[int]) -> None:
    """Each step needs what the one before it gives: of all orders one alone can be carried out."""
    needs = [{"inputs": [f"t{place}"] if place else [], "results": [f"t{place + 1}"]} for place in order]
    target = sequence([f"step of {place}" for place in order], needs, given=[])
    assert (judged(target)["reason"] is None) == (order == sorted(order))
