"""Conversations: message lines and turn lists into replies with their context."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.sources.conversations import Conversations


def conversations(**settings: Any) -> Conversations:
    return Conversations(path="*", **settings)


def message(conversation: str, speaker: str, time: Any, text: str, **more: Any) -> dict[str, Any]:
    return {"conversation": conversation, "speaker": speaker, "time": time, "text": text, **more}


LOG = [
    message("c2", "agent", "2024-01-01T10:02:00Z", "Reply two"),
    message("c1", "customer", "2024-01-01 10:00", "Where is it?"),
    message("c2", "customer", "2024/1/1 10:00", "Hello"),
    message("c2", "customer", "2024-01-01T10:01:00+00:00", "Is it broken?"),
    message("c1", "客服", "2024-01-01T10:00:10", "On its way."),
    message("c1", "agent", "2024-01-01T10:00:11", "Anything else?"),
    message("c1", "customer", "2024-01-01T10:00:20", "When?"),
    message("c1", "agent", "2024-01-01T10:00:30", "Today."),
    message("c1", "customer", "2024-01-01T10:00:40", "Thanks!"),
]
C1 = [("user", "Where is it?"), ("assistant", "On its way.\nAnything else?")]


def test_each_reply_becomes_a_row_with_all_earlier_turns(tmp_path: Path) -> None:
    rows, bad = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", LOG)], tmp_path)
    assert said(rows) == [
        [("user", "Hello\nIs it broken?"), ("assistant", "Reply two")],
        C1,
        [*C1, ("user", "When?"), ("assistant", "Today.")],
        [("user", "Thanks!")],
    ]
    assert rows["task"].to_list() == ["dialogue", "dialogue", "dialogue", "utterance"]
    assert rows["group"].to_list() == ["c2", "c1", "c1", "c1"]
    assert rows["key"].to_list() == ["c2#3", "c1#2", "c1#5", "c1#6"]
    assert rows["locator"].to_list() == [
        f"a.jsonl:{place}" for place in ("3#turn 1", "2#turn 1", "7#turn 4", "9#turn 6")
    ]
    assert bad == []


def test_one_row_a_conversation_or_the_first_reply_only(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", LOG)
    whole, _ = read(conversations(each="conversation"), [file], tmp_path)
    assert [len(turns) for turns in said(whole)] == [2, 4, 1]
    first, _ = read(conversations(each="first"), [file], tmp_path)
    assert said(first)[1] == C1
    assert first["task"].to_list() == ["dialogue", "dialogue"]


def test_resolution_rating_and_label_go_to_the_rows_that_they_belong_to(tmp_path: Path) -> None:
    log = [
        message("a", "customer", 1, "q1", label="refund", number=1),
        message("a", "agent", 2, "r1", number=2),
        message("a", "customer", 3, "q2", label="delivery", number=3),
        message("a", "agent", 4, "r2", number=4, rating=5, lang="en"),
        message("b", "customer", 1, "q", number=5, label="refund"),
        message("b", "agent", 2, "r", number=6),
        message("b", "customer", 3, "more", number=7),
    ]
    rows, _ = read(
        conversations(fields={"label": "label"}), [write_jsonl(tmp_path / "a.jsonl", log)], tmp_path
    )
    assert [json.loads(target)["labels"] for target in rows["target"]] == [
        ["refund"],
        ["delivery"],
        ["refund"],
        ["refund"],
    ]
    assert [json.loads(extra) for extra in rows["extra"]] == [
        {"number": 2, "rating": 5},
        {"number": 4, "rating": 5},
        {"number": 6},
        {"number": 7},
    ]
    assert rows["language"].to_list() == ["en", "en", None, None]


@pytest.mark.parametrize(
    "turns",
    [
        [{"speaker": "user", "text": "q"}, {"speaker": "sys", "text": "r"}],
        [{"from": "human", "value": "q"}, {"from": "gpt", "value": "r"}],
        [["Customer", "q"], ["Agent", "r"]],
        ["客户：q", "客服: r"],
    ],
)
def test_turn_lists_of_every_shape(tmp_path: Path, turns: list[Any]) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [{"id": "x", "turns": turns, "rating": 2}, {"turns": turns}])
    rows, bad = read(conversations(), [file], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")]] * 2
    assert rows["locator"].to_list() == ["a.jsonl:1#turn 1", "a.jsonl:2#turn 1"]
    assert (rows["group"][0], rows["key"][0], json.loads(rows["extra"][0])) == ("x", "x#2", {"rating": 2})
    assert len(rows["group"][1]) == 32  # told by what was said
    assert bad == []


def test_a_conversation_without_id_keeps_its_group_when_a_line_is_put_on_top(tmp_path: Path) -> None:
    item = {"turns": [["customer", "q"], ["agent", "r"]]}
    before, _ = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", [item])], tmp_path)
    other = {"turns": [["customer", "other"], ["agent", "r"]]}
    after, _ = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", [other, item])], tmp_path)
    assert after["group"][1] == before["group"][0]
    assert after["key"][1] == before["key"][0]


def test_empty_replies_and_two_system_turns_are_read(tmp_path: Path) -> None:
    log = [
        message("a", "system", 1, "Be kind."),
        message("a", "system", 2, "Be brief."),
        message("a", "customer", 3, "q"),
        message("a", "agent", 4, ""),
    ]
    rows, bad = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", log)], tmp_path)
    assert said(rows) == [[("system", "Be kind."), ("system", "Be brief."), ("user", "q"), ("assistant", "")]]
    assert bad == []


def test_a_damaged_conversation_is_left_out_and_every_message_is_accounted_for(tmp_path: Path) -> None:
    log = [
        message("a", "customer", 1, "q"),
        message("a", "Bob", 2, "who?"),
        message("a", "agent", 3, "r"),
        message("b", "customer", "yesterday", "q"),
        {"conversation": "c", "speaker": "agent", "time": 1},
        '{"conversation": "d", "speaker"',
        message("d", "customer", 1, "q"),
        message("e", "agent", 1, "Hello?"),
    ]
    rows, bad = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", log)], tmp_path)
    assert said(rows) == [[("user", "q")]]
    assert sorted(told(bad)) == [
        ("a.jsonl:1", "damaged_conversation"),
        ("a.jsonl:2", "unknown_speaker"),
        ("a.jsonl:4", "unreadable_time"),
        ("a.jsonl:5", "missing_field"),
        ("a.jsonl:6:32", "broken_json"),
        ("a.jsonl:8", "no_customer_turn"),
    ]
    left_out = next(each for each in bad if each.cls == "damaged_conversation")
    assert "'a' with 2 messages" in left_out.message
    assert "line 2" in left_out.message


def test_roles_of_the_recipe_come_before_the_usual_names(tmp_path: Path) -> None:
    turns = [{"speaker": "USER", "utterance": "q"}, {"speaker": "SYSTEM", "utterance": "r"}]
    file = write_jsonl(tmp_path / "a.jsonl", [{"dialogue_id": "1", "turns": turns}])
    rows, _ = read(conversations(roles={"agent": "system"}), [file], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")]]


def test_csv_and_another_group(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "id;sender;timestamp;message;client_nr\n1;customer;9:05;q;77\n1;agent;10:01;r;77\n2;customer;9:00;q2;\n",
        encoding="gb18030",
    )
    rows, _ = read(conversations(group="client_nr"), [file], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")], [("user", "q2")]]
    assert rows["group"].to_list() == ["77", "2"]
    assert rows["extra"].to_list() == [None, None]


def test_messages_without_time_keep_the_order_of_the_file(tmp_path: Path) -> None:
    log = [
        message("a", "customer", None, "q1"),
        message("a", "agent", None, "r1"),
        message("a", "customer", None, "q2"),
        message("a", "agent", None, "r2"),
    ]
    rows, _ = read(conversations(each="conversation"), [write_jsonl(tmp_path / "a.jsonl", log)], tmp_path)
    assert [text for _, text in said(rows)[0]] == ["q1", "r1", "q2", "r2"]


def test_copies_of_a_turn_list_are_rows_of_one_group(tmp_path: Path) -> None:
    item = {"id": "x", "turns": [["customer", "q"], ["agent", "r"]]}
    rows, bad = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", [item, item])], tmp_path)
    assert rows.select("key", "group").rows() == [("x#2", "x"), ("x#2", "x")]
    assert rows["locator"].to_list() == ["a.jsonl:1#turn 1", "a.jsonl:2#turn 1"]
    assert bad == []


CHAT = """[10:00] Customer: Where is
my parcel?
[10:01] Support: On its way.
[10:02] 客户：谢谢
"""


@pytest.mark.parametrize("name", ["chats/a.txt", "chats/a.log"])
def test_a_file_of_text_is_one_chat(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir()
    file.write_text(CHAT, encoding="utf-8")
    rows, bad = read(conversations(), [file], tmp_path)
    assert said(rows) == [
        [("user", "Where is\nmy parcel?"), ("assistant", "On its way.")],
        [("user", "谢谢")],
    ]
    assert rows["group"].unique().to_list() == [name]
    assert rows["locator"].to_list() == [f"{name}:1#turn 1", f"{name}:4#turn 3"]
    assert json.loads(rows["extra"][0]) == {"time": "10:01"}
    assert bad == []


def test_a_table_that_ends_in_txt_stays_a_table(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("id\tspeaker\ttext\n1\tcustomer\tq\n1\tagent\tr\n", encoding="utf-8")
    rows, _ = read(conversations(), [file], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")]]
    assert rows["group"].to_list() == ["1"]


def test_what_no_speaker_said_is_told_and_a_strange_speaker_costs_the_chat(tmp_path: Path) -> None:
    one, two, three = tmp_path / "1.txt", tmp_path / "2.txt", tmp_path / "3.txt"
    one.write_text("Export of Monday\n\nCustomer: q\nAgent: r\n", encoding="utf-8")
    two.write_text("Customer: q\nBob: r\nAgent: r2\n", encoding="utf-8")
    three.write_bytes(b"Customer: q\nAgent: " + b"\xff\xfe\xfa\xfb" + b"\nCustomer: q2\n")
    rows, bad = read(conversations(), [one, two, three], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")]]
    assert told(bad) == [
        ("1.txt:1", "no_speaker"),
        ("2.txt:2", "unknown_speaker"),
        ("2.txt:1", "damaged_conversation"),
        ("3.txt:2", "undecodable"),
        ("3.txt:1", "damaged_conversation"),
    ]
    assert "Export of Monday" in bad[0].excerpt


@pytest.mark.parametrize(
    "content",
    [
        [["customer", "q"], ["agent", "r"]],
        ["客户：q", "客服：r"],
        [{"speaker": "customer", "text": "q", "id": 1}, {"speaker": "agent", "text": "r", "id": 2}],
        {"turns": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "r"}], "rating": 5},
        {"transcript": "Customer: q\nAgent: r", "rating": 5},
    ],
)
def test_a_json_file_that_holds_one_list_of_turns_is_one_chat(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")
    rows, bad = read(conversations(), [file], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")]]
    assert rows["group"].to_list() == ["c.json"]
    assert bad == []


def test_json_lines_in_a_json_file_stay_records(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "c.json", LOG[1:5])
    rows, bad = read(conversations(), [file], tmp_path)
    assert (rows.height, bad) == (2, [])
    _, bad = read(conversations(layout="records"), [file], tmp_path)
    assert bad == []


def test_a_field_may_hold_a_transcript(tmp_path: Path) -> None:
    text = "\tCustomer:\tq &amp; more\n\tCustomer:\t@shop see above\nhttps://example.org\n\tAgent:\t您好\n"
    items = [{"dialog_id": "x", "said": text, "summaries": ["s"]}, {"dialog_id": "y", "said": "nobody spoke"}]
    file = write_jsonl(tmp_path / "a.jsonl", items)
    rows, bad = read(conversations(fields={"turns": "said"}), [file], tmp_path)
    question = "q &amp; more\n@shop see above\nhttps://example.org"
    assert said(rows) == [[("user", question), ("assistant", "您好")]], "entities stay as they are"
    assert json.loads(rows["extra"][0]) == {"summaries": ["s"]}
    assert told(bad) == [("a.jsonl:2", "no_speaker")]


def test_notices_stay_with_the_message_before_them(tmp_path: Path) -> None:
    turns = [
        ["agent", "Hi"], ["action", "opened"], ["customer", "q"], ["action", "account found"], ["agent", "r"],
        ["动作", "已退款"], ["customer", "q2"], ["agent", "r2"], ["customer", "q3"], ["action", "closed"],
    ]  # fmt: skip
    items = [{"id": "x", "turns": turns}, {"id": "y", "turns": [["action", "a"], ["action", "b"]]}]
    rows, bad = read(conversations(), [write_jsonl(tmp_path / "a.jsonl", items)], tmp_path)
    assert [len(turns) for turns in said(rows)] == [3, 5, 1]
    assert [extra and json.loads(extra)["notices"] for extra in rows["extra"]] == [
        ["opened", "account found", "已退款"], None, ["closed"],
    ]  # fmt: skip
    whole, _ = read(conversations(each="conversation"), [tmp_path / "a.jsonl"], tmp_path)
    assert json.loads(whole["extra"][0]) == {"notices": ["opened", "account found", "已退款"]}
    assert told(bad) == [("a.jsonl:2", "only_notices")]
    assert "2 notices" in bad[0].message


@pytest.mark.parametrize(
    "settings",
    [
        {"others": "first"},
        {"roles": {"customer": "Ann"}, "others": "agent"},
        {"roles": {"agent": ["/客服.*/", "/bo./"]}, "others": "customer"},
        {"roles": {"customer": "ann", "agent": ("bob", "客服小王")}},
        {"roles": {"agent": "bob"}, "others": "first"},
    ],
)
def test_more_than_two_speakers(tmp_path: Path, settings: dict[str, Any]) -> None:
    turns = [["Ann", "q"], ["Bob", "r"], ["客服小王", "也可以"], ["Ann", "q2"]]
    file = write_jsonl(tmp_path / "a.jsonl", [{"id": "x", "turns": turns}])
    rows, bad = read(conversations(**settings), [file], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r\n也可以")], [("user", "q2")]]
    assert bad == []


def test_who_is_first_is_told_by_time(tmp_path: Path) -> None:
    log = [
        message("a", "x", 2, "r"),
        message("a", "y", 1, "q"),
        message("b", "x", 1, "q3"),
        message("b", "y", 2, "r3"),
    ]
    rows, _ = read(conversations(others="first"), [write_jsonl(tmp_path / "a.jsonl", log)], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")], [("user", "q3"), ("assistant", "r3")]]


def test_a_pattern_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        conversations(roles={"agent": "/(/"})


def test_wrong_replies_stand_beside_the_right_one(tmp_path: Path) -> None:
    lines = [
        {"id": "1", "ok": 0, "said": ["你好", "您好", "有货吗"], "reply": "不知道"},
        {"id": "2", "ok": 1, "said": ["你好", "您好", "有货吗"], "reply": "有的"},
        {"id": "3", "ok": "false", "said": ["q"], "reply": "wrong alone"},
        {"id": "4", "ok": 0, "said": ["你好", "您好", "有货吗"], "reply": "有的"},
        {"id": "5", "ok": "perhaps", "said": ["q"], "reply": "r"},
        {"id": "6", "ok": 1, "said": [], "reply": "r"},
        {"id": "7", "ok": 1, "said": ["q"]},
    ]
    fields = {"turns": "said", "reply": "reply", "right": "ok"}
    source = conversations(fields=fields, each="conversation")
    rows, bad = read(source, [write_jsonl(tmp_path / "a.jsonl", lines)], tmp_path)
    assert said(rows) == [
        [("user", "你好"), ("assistant", "您好"), ("user", "有货吗"), ("assistant", "有的")],
        [("user", "q")],
    ]
    others = [[(each["kind"], each["messages"][0]["text"]) for each in row] for row in rows["alternatives"]]
    assert others == [[("rejected", "不知道")], [("rejected", "wrong alone")]]
    assert rows["task"].to_list() == ["dialogue", "dialogue"], "a wrong reply is no material"
    assert json.loads(rows["extra"][0]) == {"rejected": [{"conversation": "1"}]}
    assert sorted(told(bad)) == [
        ("a.jsonl:4", "equal_replies"), ("a.jsonl:5", "wrong_type"), ("a.jsonl:6", "empty_conversation"),
        ("a.jsonl:7", "missing_field"),
    ]  # fmt: skip


def test_a_long_chat_has_a_bounded_context(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    lines = (f"Customer: 问题 {number}\nAgent: answer {number}" for number in range(3000))
    file.write_text("\n".join(lines), encoding="utf-8")
    rows, bad = read(conversations(context=7), [file], tmp_path)
    assert (rows.height, bad) == (3000, [])
    assert rows["messages"].list.len().max() == 8
    assert said(rows)[-1][-2:] == [("user", "问题 2999"), ("assistant", "answer 2999")]
    whole, _ = read(conversations(context=7, each="conversation"), [file], tmp_path)
    assert whole["messages"].list.len().to_list() == [6000]
