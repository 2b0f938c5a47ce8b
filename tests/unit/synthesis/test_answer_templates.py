"""Answer templates: types, names by their casing, near-equal replies, denials, Chinese free slots, state."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import pairs
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context
from zhiling.synthesis.answer_templates import AnswerTemplates
from zhiling.synthesis.skeletons import Casing, tokens
from zhiling.synthesis.template_mining import aligned, mine

ENGLISH = [
    "Your order HL-20931 left us on March 3rd and costs $12.50 to ship.",
    "Your order HL-20977 left us on next Monday and costs $4 to ship.",
    "Your order #5512 left us on Friday and costs 9.99 EUR to ship!",
    "You can book a table at Blue Heron in Port Alder, for 4 people.",
    "You can book a table at the Old Mill of Aldgate in Port Alder, for two people.",
    "You can book a table at Café Rousseau in Kingsbridge, for 12 people.",
    "We can't take it back.",
    "We can take it back.",
]
CHINESE = [
    "您的订单 HL-20931 已于3月5日发出，运费12元。",
    "您的订单 HL-20977 已于4月12日发出，运费8.5元。",
    "您的订单 HL-11002 已于昨天发出，运费￥20。",
    "包裹已经发往北京，请耐心等待签收。",
    "包裹已经发往哈尔滨，请耐心等待签收。",
    "包裹已经发往三亚，请耐心等待签收。",
    "包裹已经发往乌鲁木齐，请耐心等待签收。",
]


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("See https://example.org/a?b=1, please", "url", "https://example.org/a?b=1"),
        ("详见 https://example.org/a。", "url", "https://example.org/a"),
        ("write to help@example.org now", "email", "help@example.org"),
        ("call 415-555-0100 now", "phone", "415-555-0100"),
        ("请致电 13800138000 咨询", "phone", "13800138000"),
        ("it is at 12 Old Mill Road today", "address", "12 Old Mill Road"),
        ("地址是南京西路1266号。", "address", "南京西路1266号"),
        ("that is $1,299.00 in all", "money", "$1,299.00"),
        ("一共是99元。", "money", "99元"),
        ("due on March 3rd, 2026 at last", "date", "March 3rd, 2026"),
        ("预计2026年3月5日到", "date", "2026年3月5日"),
        ("下周三再来", "date", "下周三"),
        ("open from 7:30 pm on", "time", "7:30 pm"),
        ("下午3点半开门", "time", "下午3点半"),
        ("your order HL-20931 is here", "order_id", "HL-20931"),
        ("单号 20260305001 已签收", "order_id", "20260305001"),
        ("for two people", "number", "two"),
        ("三到五个工作日", "number", "三到五"),
        ("点“我的 > 订单”查看", "name", "我的 > 订单"),
    ],
)
def test_types_are_told_by_pattern(text: str, type: str, value: str) -> None:
    found = [(token.text, text[token.start : token.end]) for token in tokens(text) if token.typed]
    assert (f"{{{type}}}", value) in found


def patterns(texts: list[str]) -> set[str]:
    return {template.pattern for template in mine(texts, 0.55, 2).mined}


def test_near_equal_replies_share_a_template() -> None:
    assert patterns(ENGLISH) == {
        "your order {order_id} left us on {date} and costs {money} to ship.",
        "you can book a table at {name} in {name}, for {number} people.",
    }
    assert patterns(CHINESE) == {
        "您的订单{order_id}已于{date}发出，运费{money}。",
        "包裹已经发往{free}，请耐心等待签收。",
    }


def test_values_stay_with_their_row() -> None:
    templates = mine([*ENGLISH, *CHINESE], 0.55, 2)
    texts = (ENGLISH[4], ENGLISH[2], CHINESE[1], CHINESE[6])
    found = [templates.match(text) for text in texts]
    assert [[slot.value for slot in match.slots] for match in found if match] == [
        ["Old Mill of Aldgate", "Port Alder", "two"],
        ["#5512", "Friday", "9.99 EUR"],
        ["HL-20977", "4月12日", "8.5元"],
        ["乌鲁木齐"],
    ]
    for match, text in zip(found, texts, strict=True):
        assert match is not None
        assert all(text[slot.start : slot.end] == slot.value for slot in match.slots)


def test_a_denial_is_no_variant_and_a_lone_reply_no_template() -> None:
    templates = mine(ENGLISH, 0.3, 2)
    assert templates.match("We can take it back.") is None
    assert templates.match("Something else altogether") is None
    assert mine(["", "", "!", "!"], 0.55, 2).match("") is None


def test_a_slot_that_never_varies_is_text() -> None:
    texts = [f"Anything else for you, {name}, today?" for name in ("dear Ann", "dear Bob", "dear Cyd")]
    template = mine(texts, 0.55, 2).mined[0]
    assert template.pattern == "anything else for you, dear {name}, today?"
    match = mine(texts, 0.55, 2).match("Anything else for you, dear Dan, tomorrow?")
    assert match is not None
    assert [slot.value for slot in match.slots] == ["Dan", "tomorrow"]


def measured(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    step, context = AnswerTemplates(), Context(step_id="t")
    step.fit(rows, context, folder)
    rows = rows.filter(step.applies(rows))
    return step.measure(rows, replace(context, state=folder))


def test_the_step_tells_template_and_slots_of_each_reply(tmp_path: Path) -> None:
    rows = pairs(*(("?", text) for text in [*ENGLISH, *CHINESE]), ("no reply", None))
    answer = measured(rows, tmp_path)
    assert answer.height == len(ENGLISH) + len(CHINESE)
    assert answer["template"].n_unique() == 5  # four templates, and none
    assert answer["likeness"].to_list()[6:8] == [0, 0]
    assert answer["pattern"][6] is None
    slots = json.loads(answer["slots"][0])
    assert slots[0] == {"type": "order_id", "value": "HL-20931", "start": 11, "end": 19}
    lines = (tmp_path / "templates.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["pattern"] for line in lines} == set(answer["pattern"].drop_nulls())
    with pytest.raises(UsageError, match="no state"):
        AnswerTemplates().measure(rows, Context(step_id="t"))


def test_order_of_replies_changes_nothing(tmp_path: Path) -> None:
    rows = pairs(*(("?", text) for text in [*ENGLISH, *CHINESE]))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    forward, backward = measured(rows, tmp_path / "a"), measured(rows.reverse(), tmp_path / "b")
    assert forward.equals(backward.reverse())


PIECES = st.sampled_from(["Ann", "bob", "on", "March 3rd", "$5", "的", "北京", ".", "“", "”", "7", "of", "É"])


@given(st.lists(st.lists(PIECES, max_size=8).map(" ".join), max_size=8))
def test_skeletons_tile_their_text(texts: list[str]) -> None:
    casing = Casing.learnt(map(tokens, texts))
    for text in texts:
        skeleton = casing.skeleton(text)
        assert len(skeleton.words) == len(skeleton.places)
        assert sum(word.startswith("{") for word in skeleton.words) == len(skeleton.slots)
        flat = [place for pair in skeleton.places for place in pair]
        assert flat == sorted(flat)
        seen = "".join(text[start:end] for start, end in skeleton.places)
        assert not set("".join(text.split())) - set(seen)


@given(st.lists(PIECES, max_size=8).map(tuple), st.lists(PIECES, max_size=8).map(tuple))
def test_aligned_spans_differ_between_equal_neighbours(words: tuple, others: tuple) -> None:
    for (low, high), (start, end) in aligned(words, others).items():
        assert words[low:high] != others[start:end]
        assert words[low - 1 : low] == others[start - 1 : start] or low == 0 or start == 0
