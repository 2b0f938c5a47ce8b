"""Transcripts: the shapes of lines, what goes on with a message, what is a notice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.sources.chats.transcripts import SHAPES, read_line, read_transcript


@pytest.mark.parametrize(
    ("line", "speaker", "time", "text"),
    [
        ("\tCustomer:\tIt broke: why?", "Customer", None, "It broke: why?"),
        ("[12:18] <|ann|> usual, at 10:30", "|ann|", "12:18", "usual, at 10:30"),
        ("<@ann> hi", "ann", None, "hi"),
        ("[10:00]  * bob waves", "bob", "10:00", "waves"),
        ("=== bob has joined", None, None, "bob has joined"),
        ("[10:02] Ann B.: see 9:00: ok", "Ann B.", "10:02", "see 9:00: ok"),
        ("2024-01-31 10:02 - Ann: hi", "Ann", "2024-01-31 10:02", "hi"),
        ("[31/12/23, 22:15:03] Ann: hi", "Ann", "31/12/23, 22:15:03", "hi"),
        ("2024年1月31日 10:02:00 客服：你好", "客服", "2024年1月31日 10:02:00", "你好"),
        ("下午 3:02 客服: 好", "客服", "下午 3:02", "好"),
        ("[10:02] Bob joined", None, "10:02", "Bob joined"),
        ("Ann (10:02 PM): hi", "Ann", "10:02 PM", "hi"),
        ("客服小王（10:02）：你好", "客服小王", "10:02", "你好"),
        ("#Person1#: Hi.", "#Person1#", None, "Hi."),
        ("客服：你好", "客服", None, "你好"),
    ],
)
def test_lines(line: str, speaker: str | None, time: str | None, text: str) -> None:
    said = read_line(line)
    assert said is not None
    assert (said.speaker, said.time, said.text) == (speaker, time, text)


@pytest.mark.parametrize("line", ["", "no speaker here", "https://example.org/a", "10:30 works for me"])
def test_a_line_without_speaker_is_none(line: str) -> None:
    assert read_line(line) is None


def read(text: str) -> list[tuple[str | None, str, int]]:
    lines = enumerate(text.split("\n"), 1)
    return [(said.speaker, said.text, said.line) for said in read_transcript(lines)]


def test_lines_of_another_shape_go_on_with_the_message() -> None:
    text = "[10:00] Ann: one\nNote: two\n\n  three\n[10:01] 客服: 四\n"
    assert read(text) == [("Ann", "one\nNote: two\n\n  three", 1), ("客服", "四", 5)]


def test_a_header_line_has_its_text_below() -> None:
    text = "客服小王 2024-01-31 10:00:12\n您好\n请讲：\nAnn 2024-01-31 10:00:40\nIt broke.\n"
    assert read(text) == [("客服小王", "您好\n请讲：", 1), ("Ann", "It broke.", 4)]
    assert read("10:00 Ann\nHi\n10:01 Bob\nHello") == [("Ann", "Hi", 1), ("Bob", "Hello", 3)]


def test_what_stands_before_the_first_speaker_is_told_apart() -> None:
    text = "Chat export\nof Monday\n\nAnn: q\nBob: r"
    assert read(text) == [("", "Chat export\nof Monday", 1), ("Ann", "q", 4), ("Bob", "r", 5)]


def test_notices_do_not_decide_the_shape() -> None:
    text = "[10:00] ann has joined\n[10:01] <ann> hi\n=== bob has joined\n[10:02] <bob> hello: all"
    assert read(text)[1:] == [("ann", "hi", 2), (None, "bob has joined", 3), ("bob", "hello: all", 4)]


PIECES = [
    *(
        "[10:00]",
        "Ann",
        ": ",
        "：",
        "\t",
        "<bob>",
        "===",
        "* ",
        "客服",
        "\n",
        "10:02 PM",
        "2024-01-01 ",
        " - ",
    ),
    "(",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4))).map("".join))
def test_every_line_is_in_exactly_one_message(text: str) -> None:
    lines = list(enumerate(text.split("\n"), 1))
    messages = list(read_transcript(lines))
    starts = [said.line for said in messages]
    assert starts == sorted(set(starts))
    # a message has its first line, or what stands behind its speaker there, and all lines up to the next
    first = next((number for number, line in lines if line.strip()), None)
    assert next(iter(starts), None) == first
    for said, end in zip(messages, [*starts, len(lines) + 1][1:], strict=True):
        below = [line for number, line in lines if said.line < number < end]
        assert (said.lines[len(said.lines) - len(below) :] if below else []) == below
        assert len(said.lines) <= len(below) + 1


@given(st.sampled_from(sorted(SHAPES)), st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_no_line_takes_long_or_crashes(shape: str, text: str) -> None:
    for pattern in SHAPES[shape]:
        pattern.fullmatch(text * 50)
