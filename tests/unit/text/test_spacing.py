"""Spaces between tokens: none where Chinese has none, and every token is where it is said to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.text.spacing import join


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["New", "York"], "New York"),
        (["北京", "大学"], "北京大学"),
        (["2", "0", "年", "的", "N", "B", "A"], "20年的NBA"),
        (["我们", "装", "Windows", "XP", "系统"], "我们装Windows XP系统"),
        (["we", "visited", "北京", "in", "May"], "we visited 北京 in May"),
        (["a", "b", "c"], "a b c"),
        (["a", "", "b"], "a b"),
        ([], ""),
    ],
)
def test_spaces_stand_where_people_write_them(tokens: list[str], text: str) -> None:
    assert join(tokens)[0] == text


@given(st.lists(st.text(st.sampled_from("ab1，京大"), max_size=3)))
def test_every_token_is_at_its_place_and_nothing_is_added_but_single_spaces(tokens: list[str]) -> None:
    text, places = join(tokens)
    assert [text[start:end] for start, end in places] == tokens
    assert text.replace(" ", "") == "".join(tokens)
    assert "  " not in text
    assert text == text.strip()
