"""Length: script-aware, by part, and nothing counted as empty that says something."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation.length import Length


def test_words_of_english_and_characters_of_chinese_are_counted() -> None:
    answer = Length().decide(pairs(("one two", "three four five"), ("你好", "世界和平")), CONTEXT)
    assert answer["score"].to_list() == [5.0, 6.0]
    assert reasons(answer) == [None, None]


def test_question_and_reply_have_their_own_bounds() -> None:
    step = Length(min_question=2, max_question=3, min_reply=2, max_reply=4)
    frame = pairs(
        ("你好", "很好的"), ("hi", "well then"), ("a b c d", "well then"), ("a b", "1 2 3 4 5"), ("a b", "x")
    )
    assert reasons(step.decide(frame, CONTEXT)) == [None, "too_short", "too_long", "too_long", "too_short"]


def test_a_labelled_text_has_no_reply_to_be_judged() -> None:
    assert reasons(Length(min_reply=5).decide(pairs(("text", None)), CONTEXT)) == [None]


def test_empty_is_nothing_at_all_or_a_blank_question_or_reply() -> None:
    frame = turns(
        [("user", " \n"), ("assistant", "yes")],
        [("user", "yes?"), ("assistant", None)],
        [("system", "only this")],
        [],
        [("user", "which sign adds?"), ("assistant", "+")],
        [("user", "👍"), ("assistant", "。")],
    )
    assert reasons(Length().decide(frame, CONTEXT)) == ["empty"] * 4 + [None, None]


def test_only_the_last_turn_is_question_or_reply() -> None:
    frame = turns([("user", "a"), ("assistant", "b"), ("user", "c d"), ("assistant", "e f")])
    assert reasons(Length(min_question=2, min_reply=2).decide(frame, CONTEXT)) == [None]
    assert reasons(Length(max_tokens=5).decide(frame, CONTEXT)) == ["too_long"]


def test_a_megabyte_in_one_row_and_no_row_at_all() -> None:
    answer = Length(max_question=None).decide(pairs(("字" * 350_000, "好")), CONTEXT)
    assert answer["score"].to_list() == [350_001.0]
    assert Length().decide(empty(), CONTEXT).height == 0


def test_bounds_that_no_row_can_pass_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_reply 9 is above max_reply 3"):
        Length(min_reply=9, max_reply=3)
