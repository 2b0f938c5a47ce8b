"""Talks by a plan: the plan must stand in the passage, and the talk must say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.teacher import Scripted, passages
from zhiling.pipeline.step import Context, Made
from zhiling.synthesis.dialogue import Dialogue, says

EN = "A day ticket costs 8 euros. It is valid until 3 a.m. Dogs travel free; a bicycle costs 5 euros."
ZH = "一日票售价八元，有效期至次日凌晨三点。狗免费乘车，自行车须另购五元的车票。"
PLAN_EN = {
    "user": "a visitor", "goal": "to know which ticket to buy",
    "facts": [{"about": "price", "value": "8 euros"}, {"about": "end", "value": "3 a.m."}],
}  # fmt: skip
PLAN_ZH = {
    "user": "游客", "goal": "弄清该买哪种票",
    "facts": [{"about": "价格", "value": "八元"}, {"about": "截止", "value": "次日凌晨三点"}],
}  # fmt: skip
TALK_EN = [
    "Hi, what is a day ticket?",
    "It costs 8 Euros. Anything else?",
    "How long may I use it?",
    "Until 3 a.m.",
]
TALK_ZH = ["一日票多少钱？", "八元。还想了解什么？", "能用到什么时候？", "到次日凌晨三点为止。"]
PLANS_WRONG = {
    "not_verbatim": [
        [("price", "9 euros"), ("end", "3 a.m.")],
        [("price", "8 euros"), ("end", "three at night")],
    ],
    "facts_count": [[("price", "8 euros")], [("a", "8 euros"), ("b", "3 a.m."), ("c", "Dogs travel free")]],
    "repeated_fact": [[("price", "8 euros"), ("cost", "8 euros")]],
    "empty_field": [[("", "8 euros"), ("end", "3 a.m.")], [("price", " "), ("end", "3 a.m.")]],
}
TALKS_WRONG: list[tuple[str, str, list[str]]] = [
    ("fact_unsaid", "en", [*TALK_EN[:3], "Until late at night."]),
    ("fact_unsaid", "en", [TALK_EN[0], "It costs 18 euros.", "So 8 euros?", "Until 3 a.m."]),
    ("turns_count", "en", TALK_EN[:2]),
    ("turns_count", "en", TALK_EN * 4),
    ("turn_order", "en", [*TALK_EN[:3], "Fine, thanks.", "And dogs?"]),
    ("empty_field", "en", [TALK_EN[0], " ", *TALK_EN[2:]]),
    ("wrong_language", "en", [TALK_ZH[0], *TALK_EN[1:]]),
    ("fact_unsaid", "zh", [*TALK_ZH[:3], "到很晚。"]),
    ("fact_unsaid", "zh", [TALK_ZH[0], "不贵。", "是八元吗？", "到次日凌晨三点为止。"]),
    ("turns_count", "zh", TALK_ZH[:2]),
    ("turn_order", "zh", [*TALK_ZH, "谢谢！"]),
    ("empty_field", "zh", [*TALK_ZH[:3], ""]),
    ("wrong_language", "zh", [*TALK_ZH[:2], "Until when is it valid?", TALK_ZH[3]]),
]


def talk(lines: list[str]) -> dict[str, Any]:
    return {
        "turns": [{"speaker": ("user", "assistant")[n % 2], "text": text} for n, text in enumerate(lines)]
    }


def made(text: str, script: Callable[[str], Any], **settings: Any) -> Made:
    step = Dialogue.model_validate({"facts": 2} | settings)
    return step.make(passages([text]), Context("d", load_models=lambda _: Scripted(script)))


def replies(plan: Any, turns: Any) -> Callable[[str], Any]:
    return lambda prompt: turns if '"turns"' in prompt else plan


@pytest.mark.parametrize(("text", "plan", "lines"), [(EN, PLAN_EN, TALK_EN), (ZH, PLAN_ZH, TALK_ZH)])
def test_a_talk_that_keeps_to_its_plan_is_a_row(text: str, plan: Any, lines: list[str]) -> None:
    prompts: list[str] = []

    def script(prompt: str) -> Any:
        prompts.append(prompt)
        return replies(plan, talk(lines))(prompt)

    found = made(text, script)
    assert not found.failures
    (row,) = found.rows.to_dicts()
    roles = ["document", *("user", "assistant") * 2]
    turns = [(line["role"], line["text"]) for line in row["messages"]]
    assert turns == list(zip(roles, [text, *lines], strict=True))
    assert orjson.loads(row["extra"])["plan"] == plan
    assert all(fact["value"] in prompts[1] and fact["about"] in prompts[1] for fact in plan["facts"])
    assert [line["role"] for line in made(text, script, with_passage=False).rows["messages"][0]] == roles[1:]


@pytest.mark.parametrize(
    ("cls", "facts"), [(cls, each) for cls, cases in PLANS_WRONG.items() for each in cases]
)
def test_a_plan_that_does_not_hold_is_not_written_out(cls: str, facts: list[tuple[str, str]]) -> None:
    plan = PLAN_EN | {"facts": [{"about": about, "value": value} for about, value in facts]}
    found = made(EN, lambda prompt: plan)
    assert [failure.cls for failure in found.failures] == [cls]
    assert found.rows.is_empty()


@pytest.mark.parametrize(("cls", "language", "lines"), TALKS_WRONG)
def test_a_talk_that_breaks_its_plan_is_a_failed_attempt(cls: str, language: str, lines: list[str]) -> None:
    text, plan = (EN, PLAN_EN) if language == "en" else (ZH, PLAN_ZH)
    found = made(text, replies(plan, talk(lines)))
    assert [failure.cls for failure in found.failures] == [cls]
    assert found.rows.is_empty()


def test_the_wrong_speaker_and_another_field_are_told() -> None:
    wrong = talk(TALK_EN)
    wrong["turns"][1]["speaker"] = "user"
    assert [each.cls for each in made(EN, replies(PLAN_EN, wrong)).failures] == ["turn_order"]
    wrong["turns"][1]["speaker"] = "robot"
    assert [each.cls for each in made(EN, replies(PLAN_EN, wrong)).failures] == ["schema"]


def test_a_value_is_said_as_a_whole() -> None:
    assert says("It costs 8\n Euros.", "8 euros")
    assert not says("It costs 18 euros.", "8 euros")
    assert not says("until 3 a.m.", "")
    assert says("售价八元。", "八元")
