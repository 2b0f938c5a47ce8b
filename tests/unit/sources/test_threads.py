"""Threads: reply links join messages of a log, and what no link names is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.sources.chats.threads import spelled, threads
from zhiling.sources.conversations import Conversations
from zhiling.sources.problem import Problem

LOG = [
    "[23:58] <eve> who broke it?",
    "[23:58] <ann> my disk is full",
    "[23:59] <王> 怎么安装？",
    "=== bob has joined",
    "[23:59] <bob> ann: delete something",
    "[00:00]  * li 建议用安装盘",
    "[00:01] <ann> bob: what?",
    "[00:02] <cat> ann: the cache",
    "=== cat has left",
]
LINKS = [[1, 1], [1, 4], [2, 2], [5, 2], [4, 6], [6, 7], [3, 3], [8, 8]]


def log(root: Path, *, messages: Any = LOG, links: Any = LINKS) -> Path:
    return write_jsonl(root / "a.jsonl", [{"id": "day", "messages": messages, "links": links}])


def test_threads_are_followed_by_their_links(tmp_path: Path) -> None:
    rows, bad = read(Conversations(path="*"), [log(tmp_path)], tmp_path)
    asked = [("user", "my disk is full"), ("assistant", "ann: delete something")]
    assert said(rows) == [
        asked,
        [*asked, ("user", "bob: what?"), ("assistant", "ann: the cache")],
        [("user", "怎么安装？"), ("assistant", "建议用安装盘")],
    ]
    assert rows["group"].to_list() == ["day#1", "day#1", "day#2"]
    assert rows["locator"].to_list() == [
        "a.jsonl:1#thread 1#turn 1", "a.jsonl:1#thread 1#turn 3", "a.jsonl:1#thread 2#turn 1",
    ]  # fmt: skip
    assert json.loads(rows["extra"][2]) == {"time": "00:00"}
    assert told(bad) == [("a.jsonl:1", "outside_threads")]
    assert bad[0].message.startswith("1 of 9 messages are linked to no other, 2 more are notices")


def test_roles_and_others_come_before_the_order(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"roles": {"agent": "ANN"}, "others": "customer"}
    rows, _ = read(Conversations(path="*", **settings), [log(tmp_path)], tmp_path)
    assert said(rows)[0] == [
        ("assistant", "my disk is full"),
        ("user", "ann: delete something"),
        ("assistant", "bob: what?"),
    ]


def test_a_nickname_is_no_usual_name(tmp_path: Path) -> None:
    messages = ["<agent> q", "<customer> r"]
    rows, _ = read(Conversations(path="*"), [log(tmp_path, messages=messages, links=[[0, 1]])], tmp_path)
    assert said(rows) == [[("user", "q"), ("assistant", "r")]]


@pytest.mark.parametrize("links", [[[0, 9]], [[0, -1]], [[0]], [[0, "1"]], [[0, True]], [[0, 1], None]])
def test_a_link_that_leads_nowhere_costs_its_log(tmp_path: Path, links: Any) -> None:
    source = Conversations(path="*", fields={"links": "links"})
    rows, bad = read(source, [log(tmp_path, links=links)], tmp_path)
    assert (rows.height, told(bad)) == (0, [("a.jsonl:1", "wrong_link")])


def test_addresses_are_no_reply_links(tmp_path: Path) -> None:
    item = {"turns": ["customer: q", "agent: r"], "links": ["https://example.org"]}
    rows, bad = read(Conversations(path="*"), [write_jsonl(tmp_path / "a.jsonl", [item])], tmp_path)
    assert (said(rows), bad) == ([[("user", "q"), ("assistant", "r")]], [])
    assert json.loads(rows["extra"][0]) == {"links": ["https://example.org"]}


def test_a_message_that_cannot_be_read_costs_its_thread(tmp_path: Path) -> None:
    messages = ["<ann> q", {"nothing": 1}, "<cat> q2", "<bob> r2"]
    file = log(tmp_path, messages=messages, links=[[0, 1], [2, 3]])
    rows, bad = read(Conversations(path="*"), [file], tmp_path)
    assert said(rows) == [[("user", "q2"), ("assistant", "r2")]]
    assert told(bad) == [("a.jsonl:1#message 1", "wrong_type")]


PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).map(list), max_size=20)


@given(PAIRS)
def test_threads_are_the_connected_parts(pairs: list[list[int]]) -> None:
    found = threads(12, pairs)
    assert not isinstance(found, Problem)
    members = [message for thread in found for message in thread]
    assert sorted(members) == sorted({end for pair in pairs for end in pair}), "each linked message once"
    of = {message: number for number, thread in enumerate(found) for message in thread}
    assert all(of[one] == of[other] for one, other in pairs)
    assert found == sorted(map(sorted, found))
    for thread in found:  # no thread can be cut in two without cutting a link
        reached = {thread[0]}
        for _ in thread:
            reached |= {end for pair in pairs if reached & set(pair) for end in pair}
        assert reached == set(thread)


def test_numbers_are_told_as_runs() -> None:
    assert spelled([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8"
    assert spelled([]) == ""
