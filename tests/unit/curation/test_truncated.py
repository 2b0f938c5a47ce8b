"""Truncated: cut replies are found in English and Chinese, and what may end without a stop stays."""

from __future__ import annotations

import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.truncated import Truncated

FINISHED = [
    "Your order ships in two working days.",
    "灯泡已经发货，预计周三送到。",
    "好的！👍",
    "Yes",
    "42",
    "订单状态",
    "Paris, France",
    "See https://example.com/help/returns?lang=en",
    "You can write to us at help@example.com",
    "1. Open the app.\n2. Tap Orders.\n3. Tap Cancel.",
    "- red\n- green\n- blue",
    "Here is the code:\n```python\nprint('hi')\n```",
    "for word in words:\n    print(word)",
    "| name | price |\n|---|---|\n| bulb | 9 |",
    "Dear Ms Lin,\n\nyour refund is on its way.\n\nKind regards,\nThe Heronlight team",
    "He said: “we will come tomorrow.”",
    "请在“我的 > 订单”里查看（iOS 与安卓相同）。",
    '{"status": "shipped", "days": 3}',
    "这样就可以了～",
    "The app is free… ",
    "My Heart Will Go On and Other Songs of the Nineties for the Piano",
]
CUT = [
    "Your order was handed to the carrier this morning and will arrive within three to five working da",
    "Please open the app, choose your order and",
    "To reset the lamp, hold the button for 15 seconds until it blinks red. Then open the app and",
    "灯泡已经发货。预计三到五个工作日送到，您可以在",
    "您的退款会在仓库验收之后的三到五个工作日内原路退回，如果到时候还没",
    "请先打开应用，然后选择设备，",
    "The options are (a) a refund, (b) an exchange and (c",
    "```python\nfor word in words:\n    print(word",
    "1. Open the app.\n2. Tap Orders.\n3. Choose the order that you wa",
    "You need three things:",
    "我们支持以下付款方式：",
]


@pytest.mark.parametrize("reply", FINISHED)
def test_a_finished_reply_stays(reply: str) -> None:
    assert reasons(Truncated().decide(pairs(("q", reply)), CONTEXT)) == [None]


@pytest.mark.parametrize("reply", CUT)
def test_a_cut_reply_is_found(reply: str) -> None:
    assert reasons(Truncated().decide(pairs(("q", reply)), CONTEXT)) == ["truncated"]


def test_the_threshold_is_a_setting_and_the_score_is_stored() -> None:
    frame = pairs(("q", CUT[0]), ("q", FINISHED[0]))
    answer = Truncated(at_least=0.9).decide(frame, CONTEXT)
    assert reasons(answer) == [None, None]
    assert answer["score"].to_list() == [0.5, 0.0]


def test_rows_without_a_reply_are_passed_by() -> None:
    step = Truncated()
    assert step.applies(pairs(("q", None), ("q", ""), ("q", "a"))).to_list() == [False, True, True]
    assert reasons(step.decide(pairs(("q", "")), CONTEXT)) == [None]
    assert step.decide(empty(), CONTEXT).height == 0


def test_a_megabyte() -> None:
    frame = pairs(
        ("q", "完整的句子。" * 60_000), ("q", "完整的句子。" * 60_000 + "然后我们再继续说下去的时候他就")
    )
    assert reasons(Truncated().decide(frame, CONTEXT)) == [None, "truncated"]
