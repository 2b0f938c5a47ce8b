"""What is counted how: one rule for words and 字, sentences past abbreviations, lists in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.verification.counting import COUNTS, unit_names


@pytest.mark.parametrize(
    ("unit", "text", "count"),
    [
        ("words", "Don't pay 1,000.50 for a well-known hat.", 7),
        ("words", "我有3个iPhone，很好。", 7),
        ("words", "Ａ，ｂ！", 2),
        ("words", "…!?", 0),
        ("characters", "你好，Ada \n", 6),
        ("sentences", "Dr. Wu paid 3.50 at 9 a.m. sharp. Did J. Lee? Yes!", 4),
        ("sentences", "你好。“今天去吗？”他问……好！", 4),
        ("sentences", "See https://a.example/x?y=1 for e.g. hats", 1),
        ("sentences", "First line\nSecond line", 2),
        ("sentences", "Buy tea, milk etc. Then go", 2),
        ("paragraphs", "a\nb\n\n \nc\r\n\r\nd", 3),
        ("lines", "a\n\n b \n", 2),
        ("bullets", "- a\n  * b\n1. c\n2) d\n（三）丁\n四、戊\n① 己\n•庚\n-5 degrees\n1.5 litres\n——辛", 8),
        ("placeholders", "Dear [name], see [1] and [here](x); 致【姓名】", 2),
    ],
)
def test_a_count(unit: str, text: str, count: int) -> None:
    assert COUNTS[unit](text) == count


def test_units_have_names_in_both_languages() -> None:
    assert unit_names()["字"] == unit_names()["words"] == "words"
    assert {unit_names()[name] for name in ("句", "段", "行", "字符", "条", "占位符")} == set(COUNTS) - {
        "words"
    }
    assert set(unit_names().values()) == set(COUNTS)


@given(st.text(max_size=80), st.text(max_size=80))
def test_counts_add_up_over_paragraphs(first: str, second: str) -> None:
    """Nothing but white space crosses a blank line, so every unit is counted in each part alone."""
    for unit, count in COUNTS.items():
        assert count(f"{first}\n\n{second}") == count(first) + count(second), unit
