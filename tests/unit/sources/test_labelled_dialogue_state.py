"""Dialogue state: a row for each turn of the user, with all that the user wants by then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.labelled_sets import read_items, targets
from tests.unit.sources.reading import said, told


def states(rows: Any) -> list[list[tuple[str, ...]]]:
    return [
        [(slot["domain"], slot["slot"], slot["value"], *slot.get("also", [])) for slot in each["state"]]
        for each in targets(rows)
    ]


def frame(service: str, slots: Any) -> dict[str, Any]:
    return {"service": service, "state": {"slot_values": slots}}


def test_frames_hold_all_slots_of_their_service(tmp_path: Path) -> None:
    turns = [
        {"speaker": "USER", "utterance": "Italian", "frames": [frame("eat", {"kind": ["Italian"]})]},
        {"speaker": "SYSTEM", "utterance": "When?", "frames": [{"service": "eat", "state": None}]},
        {"speaker": "USER", "utterance": "Six. And a bus", "frames": [
            frame("eat", {"kind": ["Italian"], "time": ["six", "6 pm"]}), frame("bus", {})]},
        {"speaker": "SYSTEM", "utterance": "Where to?"},
        {"speaker": "USER", "utterance": "Rome", "frames": [frame("bus", {"to": ["Rome"]})]},
    ]  # fmt: skip
    rows, bad = read_items(tmp_path, [{"dialogue_id": "d1", "services": ["eat"], "turns": turns}])
    assert bad == []
    assert states(rows) == [
        [("eat", "kind", "Italian")],
        [("eat", "kind", "Italian"), ("eat", "time", "six", "6 pm")],
        [("eat", "kind", "Italian"), ("eat", "time", "six", "6 pm"), ("bus", "to", "Rome")],
    ]
    assert said(rows)[1] == [("user", "Italian"), ("assistant", "When?"), ("user", "Six. And a bus")]
    assert rows["locator"].to_list() == [f"a.jsonl:1#turn {number}" for number in (1, 3, 5)]
    assert rows["key"].to_list() == ["d1#turn 1", "d1#turn 3", "d1#turn 5"]
    assert rows["group"].unique().to_list() == ["d1"]
    assert rows["task"].unique().to_list() == ["dialogue"]
    assert json.loads(rows["extra"][0]) == {
        "dialogue_id": "d1",
        "services": ["eat"],
        "turn": {"frames": turns[0]["frames"]},
    }


def test_what_a_user_informs_of_adds_up(tmp_path: Path) -> None:
    """Later values replace earlier ones of the slot; several of one turn stand side by side."""
    english = [
        {"speaker": "user", "text": "East", "dialog_act": {
            "Hotel-Inform": [["Area", "east"], ["none", "none"]]}},
        {"speaker": "system", "text": "ok", "dialog_act": {"Hotel-Inform": [["Area", "south"]]}},
        {"speaker": "user", "text": "No, west", "dialog_act": {
            "Hotel-Inform": [["Area", "west"]], "Hotel-Request": [["Ref", "?"]]}},
    ]  # fmt: skip
    chinese = [
        {"speaker": "usr", "text": "你好", "dialog_act": [["General", "greet", "none", "none"]]},
        {"speaker": "sys", "text": "您好", "dialog_act": []},
        {"speaker": "usr", "text": "吃烤鸭和面", "dialog_act": [
            ["Inform", "餐馆", "菜", "烤鸭"], ["Inform", "餐馆", "菜", "面"],
            ["Request", "餐馆", "地址", ""]]},
    ]  # fmt: skip
    rows, bad = read_items(tmp_path, [{"id": 1, "turns": english}, {"id": 2, "turns": chinese}])
    assert bad == []
    assert states(rows) == [
        [("Hotel", "Area", "east")], [("Hotel", "Area", "west")], [],
        [("餐馆", "菜", "烤鸭"), ("餐馆", "菜", "面")],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "state",
    [
        {"hotel": {"area": "east"}},
        {"hotel-area": "east"},
        [{"domain": "hotel", "slot": "area", "value": "east"}],
    ],
)
def test_states_as_such(state: Any, tmp_path: Path) -> None:
    turns = [{"speaker": "user", "text": "East", "state": state}, {"speaker": "user", "text": "bye"}]
    rows, _ = read_items(tmp_path, [{"turns": turns}])
    assert states(rows) == [[("hotel", "area", "east")]] * 2


def test_acts_of_every_turn_are_told_where_they_are_wanted(tmp_path: Path) -> None:
    action = {"act": "INFORM", "slot": "kind", "values": ["Italian"]}
    frames = [
        {"speaker": "USER", "utterance": "Italian", "frames": [
            {**frame("eat", {"kind": ["Italian"]}), "actions": [action]}]},
        {"speaker": "SYSTEM", "utterance": "When?", "frames": [
            {"service": "eat", "actions": [{"act": "REQUEST", "slot": "time", "values": []}]}]},
        {"speaker": "USER", "utterance": "Bye", "frames": [frame("eat", {"kind": ["Italian"]})]},
    ]  # fmt: skip
    chinese = [
        {"speaker": "usr", "text": "吃面", "dialog_act": [
            ["Inform", "餐馆", "菜", "面"], ["General", "greet", "none", "none"]]}
    ]  # fmt: skip
    rows, bad = read_items(
        tmp_path, [{"id": 1, "turns": frames}, {"id": 2, "turns": chinese}], with_acts=True
    )
    state = [{"domain": "eat", "slot": "kind", "value": "Italian"}]
    first = {"message": 0, "state": state,
             "acts": [{"act": "inform", "domain": "eat", "slot": "kind", "values": ["Italian"]}]}  # fmt: skip
    asked = {"message": 1, "acts": [{"act": "request", "domain": "eat", "slot": "time", "values": []}]}
    assert bad == []
    assert [each["turns"] for each in targets(rows)] == [
        [first],
        [first, asked, {"message": 2, "acts": [], "state": state}],
        [{"message": 0, "state": [{"domain": "餐馆", "slot": "菜", "value": "面"}], "acts": [
            {"act": "inform", "domain": "餐馆", "slot": "菜", "values": ["面"]},
            {"act": "general", "domain": "greet", "slot": "", "values": []}]}],
    ]  # fmt: skip
    broken = [
        {"speaker": "USER", "utterance": "x", "frames": [{**frame("eat", {}), "actions": [{"act": 3}]}]}
    ]
    assert read_items(tmp_path, [{"turns": broken}], with_acts=True)[1][0].cls == "wrong_type"
    assert read_items(tmp_path, [{"turns": broken}])[1] == []


@pytest.mark.parametrize(
    ("turns", "cls"),
    [
        ([{"speaker": "user", "text": "a", "state": 7}], "wrong_type"),
        ([{"speaker": "user", "text": "a", "state": {"a": {"b": None}}}], "wrong_type"),
        ([{"speaker": "user", "text": "a", "frames": [7]}], "wrong_type"),
        ([{"speaker": "user", "text": "a", "dialog_act": [["Inform"]]}], "wrong_type"),
        ([{"speaker": "user", "text": "a"}], "no_state"),
        ([{"speaker": "user", "text": " ", "state": {}}], "empty_text"),
        ([{"speaker": "nobody", "text": "a", "state": {}}], "unknown_speaker"),
        ([{"text": "a", "state": {}}], "wrong_type"),
        ([], "wrong_type"),
        ([{"speaker": "agent", "text": "a", "state": {}}], "empty_record"),
        ("x", "wrong_type"),
    ],
)
def test_a_dialogue_that_cannot_be_read_is_told_whole(turns: Any, cls: str, tmp_path: Path) -> None:
    good = [{"speaker": "user", "text": "a", "state": {}}]
    rows, bad = read_items(tmp_path, [{"turns": good}, {"turns": turns}])
    assert (rows.height, told(bad)) == (1, [("a.jsonl:2", cls)])
