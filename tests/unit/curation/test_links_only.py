"""LinksOnly: messages without a word."""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, rows, turns
from zhiling.curation.links_only import LinksOnly
from zhiling.rows.conversation import nest


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("links_only", "https://example.com/a"),
        ("links_only", "1. https://example.com/a\n2. www.example.com/b。"),
        ("links_only", "![picture of a lamp](https://example.com/lamp.png)"),
        ("links_only", "[说明书](https://example.com/说明)"),
        ("no_words", "👍"),
        ("no_words", "?????"),
        ("no_words", "……"),
        ("no_words", "🇨🇳 ~ ❤️"),
        (None, "See https://example.com/a"),
        (None, "请看 https://example.com/a"),
        (None, "42"),
        (None, "好"),
        (None, "C"),
        (None, "   "),
        (None, ""),
        (None, "example.com"),
    ],
)
def test_words_beside_links(reason: str | None, text: str) -> None:
    frame = pairs(("What is it?", text), (text, "It is a lamp."))
    assert reasons(LinksOnly().decide(frame, CONTEXT)) == [reason, reason]
    assert reasons(LinksOnly(on=("question",)).decide(frame, CONTEXT)) == [None, reason]


def test_only_the_last_turn_of_each_role_is_looked_at() -> None:
    frame = turns(
        [("user", "👍"), ("assistant", "ok"), ("user", "thanks"), ("assistant", "welcome")],
        [("user", "hi"), ("assistant", "hello"), ("user", "bye"), ("assistant", "👋")],
    )
    assert reasons(LinksOnly().decide(frame, CONTEXT)) == [None, "no_words"]


def test_an_image_or_a_tool_call_says_more_than_its_text() -> None:
    flat = pl.DataFrame(
        {
            "role": ["user", "assistant"],
            "text": ["???", "…"],
            "media": [[{"kind": "image", "path": "p", "sha256": "h", "at": None}], None],
            "tool_calls": [None, '[{"name": "look"}]'],
        }
    )
    assert reasons(LinksOnly().decide(rows(nest(flat, [2])), CONTEXT)) == [None]


def test_what_it_does_not_catch() -> None:
    assert reasons(
        LinksOnly().decide(pairs(("q", "link: https://a.example https://b.example")), CONTEXT)
    ) == [None]
    assert LinksOnly().decide(empty(), CONTEXT).height == 0
