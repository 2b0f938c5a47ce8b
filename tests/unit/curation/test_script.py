"""Script: letters of scripts that nobody expects, and the mix of all others."""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons
from zhiling.curation.script import Script
from zhiling.text.scripts import SCRIPTS, letter_counts


def test_letters_are_counted_by_script() -> None:
    text = pl.Series(
        ["Hello 世界 42!", "", None, "Привет", "ひらカナー漢", "한국어", "αβ", "😀👍", "𠀀", "שלום", "ሰላም"]
    )
    named = [{SCRIPTS[i]: int(n) for i, n in enumerate(row) if n} for row in letter_counts(text)]
    assert named == [
        {"latin": 5, "han": 2}, {}, {}, {"cyrillic": 6}, {"kana": 5, "han": 1}, {"hangul": 3}, {"greek": 2},
        {}, {"han": 1}, {"hebrew": 4}, {"other": 3},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Where is my parcel?",
        "我的包裹在哪里？用 iPhone 下的单。",
        "面积是 πr²，角度是 α。",
        "",
        "😀 42 ???",
        "see `привет мир как дела` and https://example.com/привет-мир-как-дела",
    ],
)
def test_expected_scripts_stay(text: str) -> None:
    assert reasons(Script().decide(pairs((text, None)), CONTEXT)) == [None]


@pytest.mark.parametrize(
    "text",
    [
        "Где моя посылка? Она должна была прийти.",
        "荷物はどこですか？まだ届いていません。",
        "أين طردي؟ لم يصل بعد",
    ],
)
def test_other_scripts_are_found_unless_they_are_expected(text: str) -> None:
    frame = pairs((text, "ok"))
    assert reasons(Script().decide(frame, CONTEXT)) == ["unexpected_script"]
    wide = Script(expected=("han", "latin", "kana", "cyrillic", "arabic"))
    assert reasons(wide.decide(frame, CONTEXT)) == [None]


def test_the_mix_is_measured_for_kept_rows_too() -> None:
    answer = Script().decide(pairs(("我用Mac", None), ("42", None), ("abc", None)), CONTEXT)
    assert answer["main"].to_list() == ["latin", None, "latin"]
    assert answer["latin"].to_list() == [0.6, 0.0, 1.0]
    assert answer["han"].to_list() == [0.4, 0.0, 0.0]
    assert answer["mixed"].to_list() == pytest.approx([0.4, 0.0, 0.0])


def test_few_letters_and_small_shares_are_let_pass() -> None:
    frame = pairs(
        ("This lamp is called Лампа in the shop and in the catalogue, and nowhere else at all", None)
    )
    assert reasons(Script().decide(frame, CONTEXT)) == [None]
    assert reasons(Script(at_most=0.05).decide(frame, CONTEXT)) == ["unexpected_script"]
    assert reasons(Script(at_most=0.05, letters=6).decide(frame, CONTEXT)) == [None]


def test_what_it_does_not_see() -> None:
    assert reasons(Script().decide(pairs(("Où est mon colis ?", None)), CONTEXT)) == [None]
    assert Script().decide(empty(), CONTEXT).height == 0
