"""Repetition: loops are found in words and in characters, lists and ordinary replies stay."""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation.repeated_grams import by_character, repeated_share, top_share
from zhiling.curation.repetition import Repetition

ORDINARY = [
    "Your parcel left our warehouse yesterday. It arrives in three to five days, and the courier calls you.",
    "包裹昨天已经从仓库发出，三到五个工作日送达。快递员会提前一小时给您打电话，如果您不在家，包裹会在附近的驿站保管一周。",
    "1. Open the app.\n2. Open the list of orders.\n3. Choose one.\n4. Tap on cancel.\n5. Wait for mail.",
    "一、打开应用。\n二、进入订单列表。\n三、选择要取消的订单。\n四、点击取消按钮。\n五、等待确认邮件。",
    "```python\n" + "print('hello world again')\n" * 12 + "```",
    "ha ha ha",
]
LOOPS = {
    "repeated_lines": [
        "\n".join(["Press the button until it blinks.", "Then wait for a while."] * 4),
        "请按住重置按钮直到亮灯。\n然后等待十五秒。\n" * 4,
    ],
    "repeated_phrase": ["very good " * 30, "非常好" * 20, "I do not know, I do not know, " * 6],
    "repeated_passages": [
        "The lamp is sold out until the end of May. Again: The lamp is sold out until the end of May.",
        "这款灯泡目前缺货，预计本月底可以重新上架，届时会通知您。再次说明，这款灯泡目前缺货，预计本月底可以重新上架，届时会通知您。",
    ],
}


@pytest.mark.parametrize("reply", ORDINARY)
def test_an_ordinary_reply_stays(reply: str) -> None:
    assert reasons(Repetition().decide(pairs(("q", reply)), CONTEXT)) == [None]


@pytest.mark.parametrize(("reason", "reply"), [(r, text) for r, texts in LOOPS.items() for text in texts])
def test_a_loop_is_found(reason: str, reply: str) -> None:
    assert reasons(Repetition().decide(pairs(("q", reply)), CONTEXT)) == [reason]


def test_shares_have_the_values_that_one_can_count() -> None:
    text = pl.Series(["a b c d e " * 2, "a b c d e " * 5, "a b c d e f", "", "春眠不觉晓" * 2])
    assert repeated_share(text, 5).tolist() == [0.5, 0.8, 0.0, 0.0, 0.5]
    assert top_share(pl.Series(["a b " * 4, "a b " * 3, "x a b y a b z a b u a b"]), (2,)).tolist() == [
        1.0, 0.0, 8 / 12,
    ]  # fmt: skip
    mixed = pl.Series(["hello big world", "你好世界", "你好 hello", "", "hello 你好"])
    assert by_character(mixed).tolist() == [False, True, True, False, True]


def test_lines_are_counted_in_characters_after_the_first() -> None:
    answer = Repetition().decide(pairs(("q", "一二三四五\n" * 3 + "六七八九十\n" + "\n" * 5)), CONTEXT)
    assert answer["lines"].to_list() == [0.5]


def test_limits_are_settings_and_the_score_is_relative_to_them() -> None:
    frame = pairs(("q", LOOPS["repeated_passages"][0]))
    share = Repetition().decide(frame, CONTEXT)["passages"][0]
    answer = Repetition(passages=0.9, lines=1, phrase=1).decide(frame, CONTEXT)
    assert reasons(answer) == [None]
    assert answer["score"][0] == pytest.approx(share / 0.9)
    assert reasons(Repetition(shortest=200).decide(frame, CONTEXT)) == [None]


def test_case_width_and_punctuation_hide_no_loop() -> None:
    text = "Nothing here is new. nothing, HERE is new! ＮＯＴＨＩＮＧ here is new? " * 4
    assert reasons(Repetition().decide(pairs(("q", text)), CONTEXT)) == ["repeated_phrase"]


def test_what_it_does_not_see() -> None:
    paraphrase = (
        "It is sold out. There is none left. We have no more of it. All of them are gone. None remains here."
    )
    assert reasons(Repetition().decide(pairs(("q", paraphrase)), CONTEXT)) == [None]


def test_which_rows_and_texts() -> None:
    step = Repetition(on="user")
    frame = pairs(("again and " * 30, "ok"), ("", "x"))
    assert step.applies(frame).to_list() == [True, False]
    assert reasons(step.decide(frame[:1], CONTEXT)) == ["repeated_phrase"]
    assert Repetition().applies(turns([("document", "text")], [])).to_list() == [False, False]
    assert Repetition().decide(empty(), CONTEXT).height == 0


def test_a_megabyte_and_ten_thousand_equal_rows() -> None:
    frame = pairs(("q", "完整的句子不会重复。" * 40_000), ("q", "a" * 1_000_000))
    assert reasons(Repetition().decide(frame, CONTEXT)) == ["repeated_phrase", "repeated_phrase"]
    assert reasons(Repetition().decide(pairs(*[("q", ORDINARY[0])] * 10_000), CONTEXT)) == [None] * 10_000
