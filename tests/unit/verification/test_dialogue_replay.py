"""Dialogue replay: a state follows from what was said and done; each way to break that has its reason."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, reasons, turns
from zhiling.rows.target import Act, DialogueTurn, Slot
from zhiling.verification.dialogue_replay import DialogueReplay
from zhiling.verification.replay import Fault, Message, replay


def act(name: str, slot: str = "", *values: str) -> dict[str, Any]:
    return {"act": name, "domain": "table", "slot": slot, "values": list(values)}


def slots(**values: str) -> list[dict[str, Any]]:
    return [{"domain": "table", "slot": name, "value": value} for name, value in values.items()]


ENGLISH = {
    "texts": ["A table for two in Bath, please. Is there parking?",
              "Yes, free parking. Shall I book the Fig Tree?", "Yes, at 7:30.", "Your table is booked."],
    "acts": [
        [act("INFORM", "city", "Bath"), act("INFORM", "people", "2"), act("REQUEST", "parking")],
        [act("INFORM", "parking", "True"), act("CONFIRM", "name", "Fig Tree")],
        [act("AFFIRM"), act("INFORM", "time", "7:30")],
        [act("BOOK")],
    ],
    "states": [slots(city="Bath", people="2"), None,
               slots(city="Bath", people="2", time="7:30", name="Fig Tree"), None],
}  # fmt: skip
CHINESE = {
    "texts": ["想在西湖边订一张两个人的桌子，有停车位吗？", "有免费车位。帮您订无花果餐厅好吗？",
              "好的，七点半。", "已经订好了。"],
    "acts": [
        [act("inform", "city", "西湖"), act("inform", "people", "2"), act("request", "parking")],
        [act("inform", "parking", "有"), act("confirm", "name", "无花果餐厅")],
        [act("affirm"), act("inform", "time", "七点半")],
        [act("book")],
    ],
    "states": [slots(city="西湖", people="2"), None,
               slots(city="西湖", people="2", time="七点半", name="无花果餐厅"), None],
}  # fmt: skip
BOTH = pytest.mark.parametrize("talk", [ENGLISH, CHINESE], ids=["en", "zh"])


def decided(talk: dict[str, Any], **settings: Any) -> dict[str, Any]:
    told = [
        {"message": number, "acts": acts, **({} if state is None else {"state": state})}
        for number, (acts, state) in enumerate(zip(talk["acts"], talk["states"], strict=True))
    ]
    last = next((state for state in reversed(talk["states"]) if state is not None), [])
    target = json.dumps(
        {"state": talk.get("state", last), "turns": talk.get("turns", told)}, ensure_ascii=False
    )
    said = [(("user", "assistant")[at % 2], text) for at, text in enumerate(talk["texts"])]
    rows = turns(said).with_columns(target=pl.lit(target))
    step = DialogueReplay(**settings)
    assert step.applies(rows).to_list() == [True]
    return step.decide(rows, CONTEXT).row(0, named=True)


def changed(talk: dict[str, Any], **places: Any) -> dict[str, Any]:
    """The talk with other values at `part_index`."""
    other = deepcopy(talk)
    for place, value in places.items():
        part, _, index = place.rpartition("_")
        other[part][int(index)] = value
    return other


@BOTH
def test_a_dialogue_that_holds_together_is_kept(talk: dict[str, Any]) -> None:
    line = decided(talk, never_before={"confirm": ["book"]}, phrases={"book": ["booked", "订好"]})
    assert (line["verdict"], line["problems"], line["score"]) == ("keep", None, 0.0)


@BOTH
def test_each_fault_has_its_reason(talk: dict[str, Any]) -> None:
    first, last = talk["states"][0], talk["states"][2]
    city, people = talk["acts"][0][:2]
    for broken, reason, told in (
        (changed(talk, states_0=[{**first[0], "value": "York"}, first[1]]), "unfounded_state",
         "message 0: table city is 'York', which nobody said"),
        (changed(talk, states_0=[*first, last[2]]), "unfounded_state", "message 0: table time is"),
        (changed(talk, states_2=last[1:]), "lost_state", "message 2: table city is no longer in the state"),
        (changed(talk, states_0=first[1:]), "ignored_act", "is not in the state"),
        (changed(talk, acts_0=[city, {**people, "values": ["5"]}, talk["acts"][0][2]]), "ignored_act",
         "table people '5' stands there as '2'"),
        (changed(talk, acts_0=[city, {**people, "values": ["5", "2"]}]), "unsaid_value",
         "'5' is not said there"),
        (changed(talk, acts_1=[act("req_more")], texts_1="…"), "unfounded_state", "table name is"),
        (changed(talk, states_0=[*first, *slots(parking="True")]), "unfounded_state", "table parking is"),
        (changed(talk, acts_1=talk["acts"][1][1:]), "unanswered_request",
         "about the REQUEST of table parking"),
    ):  # fmt: skip
        line = decided(broken)
        assert line["reason"] == reason, line
        assert told.casefold() in line["problems"].casefold(), line


@BOTH
def test_rules_of_a_policy(talk: dict[str, Any]) -> None:
    for settings, told in (
        ({"never_before": {"offer": ["book"]}}, "of table stands before offer"),
        ({"forbidden": ["Book"]}, "is forbidden"),
        ({"phrases": {"book": ["thank you", "谢谢"]}}, "without 'thank you' or '谢谢'"),
        ({"unsayable": ["free", "免费"]}, "must not be said"),
    ):
        line = decided(talk, **settings)
        assert line["reason"] == "broken_rule", line
        assert told in line["problems"], line
    swapped = changed(talk, acts_1=[*talk["acts"][1], act("book")], acts_0=[*talk["acts"][0], act("confirm")])
    assert decided(swapped, never_before={"confirm": ["book"]})["verdict"] == "keep"


@BOTH
def test_settings_name_what_is_meant_rather_than_said(talk: dict[str, Any]) -> None:
    other = changed(talk, texts_2="…")
    assert decided(other)["problems"].count("not said there") == 1
    for settings in ({"unspoken": ["time"]}, {"unspoken": ["table-time"]}, {"said": False}):
        assert decided(other, **settings)["verdict"] == "keep"
    refused = changed(talk, acts_1=[act("confirm", "name", talk["acts"][1][1]["values"][0]), act("NoOffer")])
    assert decided(refused)["verdict"] == "keep"
    assert decided(refused, refusals=[])["reason"] == "unanswered_request"


def test_without_acts_a_new_value_must_have_been_said() -> None:
    for talk, other in ((ENGLISH, "York"), (CHINESE, "东湖")):
        silent = {**talk, "acts": [[], [], [], []]}
        assert decided(silent)["verdict"] == "keep"
        states = deepcopy(talk["states"])
        states[2][0]["value"] = other
        assert decided({**silent, "states": states})["reason"] == "unfounded_state"
    assert decided({**ENGLISH, "states": [None] * 4})["verdict"] == "keep"


def test_a_slot_may_have_several_values_and_spellings() -> None:
    said = [Message("user", "Soup and salad at half past seven")]
    told = [
        Act(act="inform", slot="dish", values=["soup"]),
        Act(act="inform", slot="dish", values=["salad"]),
        Act(act="inform", slot="time", values=["half past seven"]),
    ]
    state = [
        Slot(domain="", slot="dish", value="Soup"),
        Slot(domain="", slot="dish", value="salad"),
        Slot(domain="", slot="time", value="19:30", also=["half past seven"]),
    ]
    assert not list(replay(said, [DialogueTurn(message=0, acts=told, state=state)]))
    found = list(replay(said, [DialogueTurn(message=0, acts=told, state=state[1:])]))
    assert found == [(Fault.IGNORED_ACT, "message 0: inform dish 'soup' stands there as 'salad'")]


def test_numbers_are_said_by_value_and_the_words_beside_them_as_they_are() -> None:
    for text, value, said in (
        ("for two, at half past seven", "2", True),
        ("一共两位，七点半到", "2", True),
        ("at 7:30 pm", "seven thirty", True),
        ("at 12:30", "twelve pm", False),
        ("人均100到150元", "100-150元", True),
        ("两位，木瓜园", "双鹭楼", False),
        ("on March 5th", "5 March", True),
        ("三月五日", "3月6日", False),
        ("for three", "2", False),
    ):
        told = [DialogueTurn(message=0, acts=[Act(act="inform", slot="x", values=[value])])]
        assert (not list(replay([Message("user", text)], told))) == said, (text, value)


def test_broken_targets_are_reasons_and_rows_without_turns_pass_by() -> None:
    for turns_told, told in (
        ([{"message": 9}], "turns of messages [9]: there are 4"),
        ([{"message": 1}, {"message": 0}], "out of order"),
        ([{"message": 1}, {"message": 1}], "told twice"),
        ([{"message": -1}], "turns.0.message"),
        ([{"message": 0, "state": []}], "another one than the target's"),
        ("x", "turns"),
    ):
        line = decided({**ENGLISH, "turns": turns_told})
        assert line["reason"] == "broken_target", line
        assert told in line["problems"], line
    rows = turns([("user", "x")], [("user", "x")]).with_columns(target=pl.Series(['{"state": []}', None]))
    assert not DialogueReplay().applies(rows).any()
    assert reasons(DialogueReplay().decide(rows.with_columns(target=pl.lit('{"turns": 3}')), CONTEXT)) == [
        "broken_target", "broken_target",
    ]  # fmt: skip


def test_a_templated_row_is_read_by_the_messages_of_its_example() -> None:
    prompt, text = "Talk: {}\nWhat is wanted?", "A table in Bath, please."
    template = {"wording": "w", "fields": [{"message": 0, "start": 6, "end": 6 + len(text), "role": "user"}]}
    for value, reason in (("Bath", None), ("York", "unfounded_state")):
        truth = {"state": slots(city=value), "turns": [{"message": 0, "state": slots(city=value)}]}
        rows = turns([("user", prompt.format(text)), ("assistant", value)])
        rows = rows.with_columns(target=pl.lit(json.dumps({**truth, "template": template})))
        assert reasons(DialogueReplay().decide(rows, CONTEXT)) == [reason]


VALUES = st.sampled_from(["Bath", "York", "2", "西湖", "是", ""])
SLOTS = st.sampled_from(["", "a", "b"])
ACTS = st.builds(
    Act, act=st.sampled_from(["inform", "request"]), slot=SLOTS, values=st.lists(VALUES, max_size=2)
)
STATES = st.lists(st.builds(Slot, domain=st.just(""), slot=SLOTS, value=VALUES), max_size=2)
TALK = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), VALUES, st.lists(ACTS, max_size=2), st.none() | STATES),
    max_size=4,
)


def place(told: str) -> int:
    return int(told.partition(":")[0].split()[1])


@given(TALK)
def test_what_is_wrong_stays_wrong_whatever_follows(talk: list[Any]) -> None:
    messages = [Message(role, text) for role, text, _, _ in talk]
    told = [DialogueTurn(message=at, acts=acts, state=state) for at, (_, _, acts, state) in enumerate(talk)]
    found = list(replay(messages, told))
    acted = [role == "user" and bool(acts) for role, _, acts, _ in talk]
    for end in range(len(talk)):
        if any(acted[:end]) == any(acted):
            earlier = [each for each in found if place(each[1]) < end]
            assert list(replay(messages[:end], told[:end])) == earlier
