"""The normal form: what it folds, what it must leave alone."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest

from zhiling.text.normalise import normalise, normalise_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ｈｅｌｌｏ,  World!", "hello world"),
        ("  ...  ", ""),
        ("", ""),
        ("C++ costs $5", "c++ costs $5"),
        ("你好，世界！", "你好 世界"),
        ("３米／㎏", "3米 kg"),
        ("https://a.example/b?c=1:3", "https a example b c=1 3"),
        ("co\u00adop\u200berate", "cooperate"),
        ("I ❤\ufe0f 👍🏽", "i ❤ 👍"),
        ("שָׁלוֹם עולם", "שָׁלוֹם עולם"),
        ("e\u0301té", "été"),
        ("T\u0308", "ẗ"),
        ("İstanbul", "i̇stanbul"),
        ("ｶﾞ", "ガ"),
        ("line\r\n\tbreak\u2028end", "line break end"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normalise_text(text) == expected


def test_rows_do_not_run_into_each_other() -> None:
    text = pl.Series("t", ["a.", ".b", "...", "", None, " c ", "。", "d"])
    result = normalise(text)
    assert result.to_list() == ["a", "b", "", "", None, "c", "", "d"]
    assert result.name == "t"


def test_no_rows() -> None:
    assert normalise(pl.Series("t", [], dtype=pl.String)).to_list() == []


def test_many_rows_are_normalised_in_their_order() -> None:
    text = pl.Series([f"Row, {number}!" if number % 3 else f"第{number}行。" for number in range(40_000)])
    assert normalise(text).to_list() == [
        f"row {number}" if number % 3 else f"第{number}行" for number in range(40_000)
    ]


def test_a_megabyte_in_one_row() -> None:
    assert normalise_text("Ab, " * 250_000) == "ab " * 249_999 + "ab"
    assert normalise_text(" " * 1_000_000) == ""


def every_character() -> list[str]:
    return [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]


def test_twice_is_once_for_every_character() -> None:
    once = normalise(pl.Series([f"a{character}b" for character in every_character()]))
    assert (normalise(once) == once).all()


def test_letters_and_digits_of_all_scripts_stay() -> None:
    kept = [
        character
        for character in every_character()
        if unicodedata.category(character) in {"Lo", "Ll", "Nd"}
        and unicodedata.is_normalized("NFKC", character)
        and character.lower() == character
    ]
    assert len(kept) > 100_000
    assert normalise(pl.Series(kept)).to_list() == kept
