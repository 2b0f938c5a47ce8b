"""Instructions to good texts: the text stays as it is, and the instruction may not give it away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.teacher import Scripted, passages
from zhiling.pipeline.step import Context, Made
from zhiling.synthesis.backtranslate import Backtranslate

EN = (
    "Bring the water to a boil, then take it off the heat for a minute. Pour it slowly over the leaves and"
    " wait three minutes; longer makes the tea bitter. Warm the cup meanwhile. Green tea wants cooler water."
)
ZH = (
    "先把水烧开，再离火放一分钟。慢慢地把水倒在茶叶上，等三分钟；时间太长茶会发苦。等的时候把杯子温一温。绿茶要用凉一些的水，"
    "大约八十度。用过的茶叶可以再泡一次，第二泡多等一分钟。"
)
RIGHT = [
    (EN, "How do I make good black tea at home? A few sentences for a beginner, please."),
    (EN, "Explain in one short paragraph how to brew tea and what to watch out for."),
    (EN, "I always spoil my tea. Tell me the steps."),
    (EN, "Give brewing advice to a guest who has never made tea."),
    (EN, "Describe making tea: temperature, time, cup."),
    (ZH, "怎样在家泡好一杯茶？请用一小段话告诉初学者。"),
    (ZH, "请说明泡茶的步骤和注意事项，简短一些。"),
    (ZH, "我泡的茶总是发苦，请教我正确的做法。"),
    (ZH, "给从没泡过茶的客人一些建议。"),
    (ZH, "介绍泡茶时水温和时间怎么掌握。"),
]
WRONG = [
    (EN, "copies_text", "Say: take it off the heat for a minute. Pour it slowly over the leaves."),
    (EN, "copies_text", "Tell me to pour it slowly over the leaves and wait three minutes."),
    (EN, "mentions_text", "Summarise the document about tea."),
    (EN, "mentions_text", "Which steps does this text give?"),
    (EN, "wrong_language", "怎样泡茶？"),
    (EN, "empty_field", "  "),
    (EN, "too_long", "How do I make tea? " * 6),
    (ZH, "copies_text", "为什么要先把水烧开，再离火放一分钟。慢慢地把水倒在茶叶上？"),
    (ZH, "copies_text", "请写：用过的茶叶可以再泡一次，第二泡多等一分钟。"),
    (ZH, "mentions_text", "请概括上文讲的泡茶方法。"),
    (ZH, "mentions_text", "这段文字说了哪些步骤？"),
    (ZH, "wrong_language", "How do I make tea?"),
    (ZH, "empty_field", ""),
    (ZH, "too_long", "请问应该怎样泡茶才好？" * 5),
]


def made(text: str, instruction: str, **settings: Any) -> Made:
    models = Scripted(lambda prompt: {"instruction": instruction})
    return Backtranslate.model_validate(settings).make(
        passages([text]), Context("b", load_models=lambda _: models)
    )


@pytest.mark.parametrize(("text", "instruction"), RIGHT)
def test_a_right_instruction_gets_the_text_as_its_reply(text: str, instruction: str) -> None:
    found = made(text, instruction)
    assert not found.failures
    turns = [(line["role"], line["text"]) for line in found.rows["messages"][0]]
    assert turns == [("user", instruction), ("assistant", text)]
    assert found.rows["language"].to_list() == ["zh" if text == ZH else "en"]


@pytest.mark.parametrize(("text", "cls", "instruction"), WRONG)
def test_a_wrong_instruction_is_a_failed_attempt_of_its_class(text: str, cls: str, instruction: str) -> None:
    found = made(text, instruction)
    assert [failure.cls for failure in found.failures] == [cls]
    assert found.rows.is_empty()


def test_how_much_may_be_copied_is_a_setting() -> None:
    words = "Why do I pour it slowly over the leaves?"
    assert not made(EN, words).failures
    assert [failure.cls for failure in made(EN, words, copied=3).failures] == ["copies_text"]
