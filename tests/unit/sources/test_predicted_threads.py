"""Predicted threads: who is called, who goes on; every layout of a log; what a linker learns."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.reading import read, said, write_jsonl
from zhiling.sources.chats.reply_features import NAMES, WINDOW, Features, Message
from zhiling.sources.chats.reply_links import Linked, Linker
from zhiling.sources.conversations import Conversations

LOG = [
    ("09:00", "ann", "hello, my disk is full after the update, how do i make room?"),
    ("09:00", "小王", "大家好，请问打印机怎么安装？"),
    ("09:01", "bob", "ann: delete the old kernels"),
    ("09:01", "li", "小王: 先装驱动，再接打印机"),
    ("09:02", "ann", "bob: that worked, the disk has room again"),
    ("09:02", "小王", "li: 驱动在哪里下载？"),
    ("09:03", "li", "小王: 官网就有驱动"),
]
DISK = [
    ("user", LOG[0][2]),
    ("assistant", LOG[2][2]),
    ("user", LOG[4][2]),
]
PRINTER = [("user", LOG[1][2]), ("assistant", LOG[3][2]), ("user", LOG[5][2]), ("assistant", LOG[6][2])]


def as_lines(root: Path) -> Path:
    records = [{"conversation": "day", "time": t, "speaker": who, "text": text} for t, who, text in LOG]
    return write_jsonl(root / "a.jsonl", records)


def as_list(root: Path) -> Path:
    return write_jsonl(root / "a.jsonl", [{"id": "day", "messages": [f"[{t}] <{w}> {s}" for t, w, s in LOG]}])


def as_text(root: Path) -> Path:
    file = root / "day.log"
    file.write_text("".join(f"[{t}] <{w}> {s}\n" for t, w, s in LOG), encoding="utf-8")
    return file


@pytest.mark.parametrize("write", [as_lines, as_list, as_text])
def test_two_threads_come_apart_in_every_layout(write: Any, tmp_path: Path) -> None:
    rows, bad = read(Conversations(path="*", threads="predicted"), [write(tmp_path)], tmp_path)
    assert not bad
    assert said(rows) == [DISK[:2], DISK[2:], PRINTER[:2], PRINTER]
    assert len(set(rows["group"])) == 2
    assert ["#thread 1#" in place for place in rows["locator"]] == [False, False, True, True]


def test_an_improbable_link_starts_a_thread(tmp_path: Path) -> None:
    source = Conversations(path="*", threads="predicted", least_link=1.0)
    rows, _ = read(source, [as_lines(tmp_path)], tmp_path)
    assert [len(messages) for messages in said(rows)] == [1] * len(LOG)
    assert len(set(rows["group"])) == len(LOG)


def test_without_the_setting_a_log_of_nicknames_is_refused(tmp_path: Path) -> None:
    rows, bad = read(Conversations(path="*"), [as_lines(tmp_path)], tmp_path)
    assert rows.is_empty()
    assert {each.cls for each in bad} == {"unknown_speaker"}


def test_fields_of_the_log_reach_its_threads(tmp_path: Path) -> None:
    lines = [f"[{t}] <{w}> {s}" for t, w, s in LOG]
    file = write_jsonl(tmp_path / "a.jsonl", [{"id": "day", "messages": lines, "channel": "help"}])
    rows, _ = read(Conversations(path="*", threads="predicted"), [file], tmp_path)
    assert {json.loads(extra)["channel"] for extra in rows["extra"]} == {"help"}


@given(
    st.lists(
        st.builds(
            Message,
            st.sampled_from(["ann", "bob", "小王", ""]),
            st.text(alphabet="ab :,?小王 annob", max_size=20),
            st.none() | st.floats(0, 1440),
        ),
        max_size=12,
    )
)
def test_each_message_answers_one_before_it_or_none(messages: list[Message]) -> None:
    links = Linker.shipped().links(messages)
    assert [link.message for link in links] == list(range(len(messages)))
    assert all(0 <= link.answers <= link.message and 0 < link.probability <= 1 for link in links)
    features = Features(messages)
    assert all(np.isfinite(features.of(number)).all() for number in range(len(messages)))


def test_pairs_reach_back_as_far_as_the_window() -> None:
    messages = [Message("ann" if n % 2 else "bob", f"word{n}", float(n)) for n in range(WINDOW + 5)]
    assert Features(messages).of(WINDOW + 4).shape == (WINDOW + 1, len(NAMES))
    assert Features(messages).of(0).shape == (1, len(NAMES))


def test_a_linker_learns_a_rule_and_its_likelihood_is_the_best() -> None:
    """Everybody answers the message that shares a rare word, two messages back."""
    messages = [Message(f"speaker{n % 7}", f"topic{n // 4}{'ab'[n % 2]} says", float(n)) for n in range(80)]
    answers = {n: {n - 2} if n % 4 > 1 else {n} for n in range(8, 80)}
    linker = Linker.learnt([Linked(messages, answers)])
    found = {link.message: link.answers for link in linker.links(messages)}
    assert np.mean([found[number] in right for number, right in answers.items()]) > 0.9
    weaker = Linker.learnt([Linked(messages, answers)], ridge=100.0)
    assert np.linalg.norm(weaker.weights) < np.linalg.norm(linker.weights)


def test_answers_out_of_reach_teach_nothing() -> None:
    with pytest.raises(ValueError, match="nothing can be learnt"):
        Linker.learnt([Linked([Message("ann", "hi")], {})])


def test_long_logs_are_linked_in_parts_without_a_seam() -> None:
    turns = [("bob", "how is {}?"), ("ann", "bob: yes")]
    messages = [Message(turns[n % 2][0], turns[n % 2][1].format(n), float(n)) for n in range(5_300)]
    links = Linker.shipped().links(messages)
    assert len(links) == len(messages)
    assert all(math.isfinite(link.probability) for link in links)
    seam = [link for link in links if link.message == 5_000]
    assert seam[0].answers >= 4_000
