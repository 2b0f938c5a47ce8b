"""Boilerplate: refusals, self-references and unfilled forms are told from answers, in both languages."""

from __future__ import annotations

import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.boilerplate import Boilerplate

REFUSALS = [
    "I'm sorry, but I cannot assist with that.",
    "Unfortunately, I am not able to provide this information.",
    "I can’t fulfil this request.",
    "That goes against my programming.",
    "很抱歉，我无法提供这方面的信息。",
    "您好，I am sorry, but I cannot assist with that。",
    "对不起，作为助手我不能回答这个问题。",
    "我无法满足您的请求。",
    "很抱歉，我无法查询实时票务信息，因此不能告诉您还有没有票。",
]
SELF_REFERENCES = [
    "As an AI language model, the capital of France is Paris.",
    "I am just a computer program, but here is a recipe.",
    "My knowledge cutoff is September, so prices may differ.",
    "作为一个人工智能语言模型，我建议您多喝水。",
    "截至我的知识更新日期，价格是十元。",
    "我没有个人观点，但是这本书很受欢迎。",
]
FORMS = [
    "Dear [insert name], your lamp is on its way.",
    "Hello {{customer_name}}, thank you.",
    "<noinput>",
    "Lorem ipsum dolor sit amet",
    "尊敬的【客户姓名】，您好！您的订单将在【填写日期】送达。",
    "此致，\n[你的名字]",
    "Dear [Hiring Manager], she worked with us from [start date] on.",
    "本人因【离职原因】，拟于【离职日期】离开公司。",
    "您好，我是[公司]的[姓名]。",
]
ANSWERS = [
    "Sorry for the delay, your parcel arrives tomorrow.",
    "I am sorry, we cannot find an order of this number. Could you send it again?",
    "A refund takes three days.",
    "很抱歉让您久等了，包裹明天送达。",
    "抱歉，这款灯泡目前没有货。",
    "作为礼物，这盏灯很合适。",
    "See [the manual](https://example.com/manual) and [1].",
    "```jinja\nHello {{ name }}\n```",
    "`[insert name]` is what the field holds.",
    "See [the city](https://example.com/city) for the date.",
    "【活动时间】周五晚上七点\n【活动地点】社区礼堂",
]


@pytest.mark.parametrize(
    ("reason", "reply"),
    [
        *(("refusal", reply) for reply in REFUSALS),
        *(("self_reference", reply) for reply in SELF_REFERENCES),
        *(("template_residue", reply) for reply in FORMS),
    ],
)
def test_stock_phrases_are_found(reason: str, reply: str) -> None:
    assert reasons(Boilerplate().decide(pairs(("What should I do?", reply)), CONTEXT)) == [reason]


@pytest.mark.parametrize("reply", ANSWERS)
def test_answers_stay(reply: str) -> None:
    assert reasons(Boilerplate().decide(pairs(("What should I do?", reply)), CONTEXT)) == [None]


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("Who are you?", "I am an AI assistant of the Heronlight shop."),
        ("什么是AI助手", "As an AI, I predict the next word."),
        ("你是谁？", "我是一个人工智能助手，为您解答灯具问题。"),
        ("How do chatbots work?", "As an AI, I predict the next word."),
        ("写一个道歉信模板", "尊敬的[客户姓名]：我们深表歉意。"),
    ],
)
def test_who_asks_about_it_gets_an_answer(question: str, reply: str) -> None:
    assert reasons(Boilerplate().decide(pairs((question, reply)), CONTEXT)) == [None]


def test_a_refusal_is_one_whatever_was_asked() -> None:
    assert reasons(Boilerplate().decide(pairs(("Are you a robot?", REFUSALS[0])), CONTEXT)) == ["refusal"]


def test_classes_and_verdict_are_settings_and_the_score_counts_classes() -> None:
    frame = pairs(("q", "As an AI language model, I'm sorry, but I cannot assist with that."), ("q", "Yes."))
    answer = Boilerplate(verdict="flag").decide(frame, CONTEXT)
    assert answer["verdict"].to_list() == ["flag", "keep"]
    assert answer["score"].to_list() == [2.0, 0.0]
    some = Boilerplate(classes=("self_reference",)).decide(frame, CONTEXT)
    assert reasons(some) == ["self_reference", None]


def test_what_it_does_not_catch() -> None:
    evasive = pairs(
        ("q", "Let us talk about something nicer."), ("q", "我们聊点别的吧。"), ("q", "Je ne peux pas.")
    )
    assert reasons(Boilerplate().decide(evasive, CONTEXT)) == [None, None, None]
    assert Boilerplate().applies(pairs(("q", None), ("q", ""))).to_list() == [False, True]
    assert Boilerplate().decide(empty(), CONTEXT).height == 0


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("Answer this letter.\nDear [Name], thank you for your gift.", "Dear [Name], it was a pleasure."),
        ("回复这封邮件。\n亲爱的[姓名]，感谢您的捐赠。", "亲爱的[姓名]，不用客气，谢谢您。"),
    ],
)
def test_a_form_that_the_user_brought_is_no_residue(question: str, reply: str) -> None:
    assert reasons(Boilerplate().decide(pairs((question, reply)), CONTEXT)) == [None]


def test_the_letters_ai_inside_a_word_do_not_ask_about_the_model() -> None:
    reply = "As an AI language model, I suggest a thank-you note."
    questions = (
        "Write an email.",
        "Explain rain to a trainee.",
        "AI能帮我写邮件吗？",
        "Can AI write an email?",
    )
    answer = Boilerplate().decide(pairs(*[(question, reply) for question in questions]), CONTEXT)
    assert reasons(answer) == ["self_reference", "self_reference", None, None]
