"""ReplyLanguage: a reply in another language is found, unless the question asks for it."""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation.reply_language import ReplyLanguage

EN_Q, ZH_Q = "How can I return the lamp that I ordered last week?", "我上周下单的台灯不想要了，怎么退货？"
EN_R = "Open the app, choose the order and tap on return. The courier comes the next day."
ZH_R = "请打开应用，选择订单并点击退货，快递员第二天上门取件。"


def decide(question: str, reply: str, **settings: object) -> str | None:
    frame = pairs((question, reply))
    return reasons(ReplyLanguage.model_validate(settings).decide(frame, CONTEXT))[0]


@pytest.mark.parametrize(
    ("question", "reply"), [(EN_Q, ZH_R), (ZH_Q, EN_R), (EN_Q, "Откройте приложение и выберите заказ")]
)
def test_another_language_is_found(question: str, reply: str) -> None:
    assert decide(question, reply) == "other_language"


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        (EN_Q, EN_R),
        (ZH_Q, ZH_R),
        ("Translate into Chinese: how can I return the lamp?", ZH_R),
        ("把这句话翻译成英文：怎么退货？我上周下单的台灯不想要了", EN_R),
        ("Please answer my question in Mandarin: how do I return the lamp?", ZH_R),
        (
            "请写一个函数，计算两个数的最大公约数。",
            "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a",
        ),
        (
            "这段文字说了什么？The lamp was returned last week.",
            "The lamp was returned last week by the customer.",
        ),
        ("公司的客服软件叫什么名字？请告诉我们", "HelpDesk Pro"),
        (
            "怎么安装这个软件？请告诉我具体步骤。",
            "```\nsudo apt install very-long-package-name another-package-name\n```",
        ),
        (
            "在哪里可以看到退货的完整说明文档？",
            "https://example.com/a-very-long-path/with-many-latin-letters",
        ),
        ("荷物はどこですか？まだ届いていません。", "昨日倉庫から発送しました。三日ほどで届きます。"),
        ("", EN_R),
        (EN_Q, ""),
    ],
)
def test_what_was_asked_for_or_cannot_be_told_stays(question: str, reply: str) -> None:
    assert decide(question, reply) is None


def test_a_translation_and_a_row_without_reply_are_passed_by() -> None:
    frame = pairs((EN_Q, ZH_R), (EN_Q, ZH_R), (EN_Q, None)).with_columns(
        task=pl.Series(["translation", None, "qa"])
    )
    assert ReplyLanguage().applies(frame).to_list() == [False, True, False]
    assert ReplyLanguage().decide(empty(), CONTEXT).height == 0


def test_a_system_message_may_ask_for_the_language() -> None:
    frame = turns(
        [("system", "Always answer in Chinese."), ("user", EN_Q), ("assistant", ZH_R)],
        [("system", "You are kind."), ("user", EN_Q), ("assistant", ZH_R)],
    )
    assert reasons(ReplyLanguage().decide(frame, CONTEXT)) == [None, "other_language"]


def test_languages_of_one_script_need_lingua() -> None:
    french = (
        "Ouvrez l'application, choisissez la commande et appuyez sur le bouton de retour, s'il vous plaît."
    )
    assert decide(EN_Q, french) is None
    assert decide(EN_Q, french, detector="lingua") == "other_language"
    assert decide(EN_Q, EN_R, detector="lingua") is None
    assert decide(ZH_Q, ZH_R, detector="lingua") is None


def test_the_score_is_the_share_in_other_scripts() -> None:
    frame = pairs((EN_Q, "退货退货" + "a" * 12))
    answer = ReplyLanguage(at_least=0.6).decide(frame, CONTEXT)
    assert answer["score"].to_list() == [0.5]
    assert reasons(ReplyLanguage(letters=50).decide(pairs((ZH_Q, "short answer")), CONTEXT)) == [None]


def test_what_it_does_not_see() -> None:
    frame = turns(
        [
            ("user", "From now on answer in Chinese."),
            ("assistant", "好的"),
            ("user", EN_Q),
            ("assistant", ZH_R),
        ]
    )
    assert reasons(ReplyLanguage().decide(frame, CONTEXT)) == ["other_language"]
