"""Copies: whole texts, stretches, repeats, in English and Chinese."""

from __future__ import annotations

import polars as pl
import pytest

from zhiling.adversarial.guards.copies import copied, copying
from zhiling.errors import UsageError

LONG = "please tell me how I can move four hundred dollars from my savings to my checking account today"
LONG_ZH = "请告诉我今天怎样把四百元从我的储蓄账户转到我的活期账户里面去谢谢你们"


def fillers(language: str, count: int = 30) -> list[str]:
    """Texts that have nothing in common."""
    if language == "en":
        return [f"question{number} about{number} topic{number}" for number in range(count)]
    return [chr(0x4E00 + 50 * number) * 3 for number in range(count)]


@pytest.mark.parametrize(
    ("text", "known", "copies"),
    [
        ("Move  money, please!", "move money please", True),  # the same in normal form
        ("move money", "please move money now", False),  # two tokens stand in many texts
        ("what is my balance now", "tell me what is my balance now", True),
        ("what is my balance", "tell me what is my balance now", False),  # four tokens
        ("what is your balance now", "tell me what is my balance now", False),
        (f"hello {LONG} bye", LONG, True),
        (" ".join(["hello", *LONG.split()[:13]]), LONG, True),
        (" ".join(["hello", *LONG.split()[:12]]), LONG, False),
        ("我的账户余额是多少", "请问我的账户余额是多少呢", True),
        ("我的账户余额是", "请问我的账户余额是多少呢", False),  # seven characters
        ("我的账户余额有多少", "请问我的账户余额是多少呢", False),
        (f"你好，{LONG_ZH}", LONG_ZH, True),
        ("您好" + LONG_ZH[:20], LONG_ZH, True),
        ("您好" + LONG_ZH[:19], LONG_ZH, False),
        ("", "", False),
        ("！！！", "……", False),
    ],
)
def test_a_copy_is_a_whole_text_or_a_long_stretch(text: str, known: str, copies: bool) -> None:
    assert copying(pl.Series([text]), pl.Series([known])).tolist() == [copies]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_shares_of_made_texts_and_of_real_ones(language: str) -> None:
    long = LONG if language == "en" else LONG_ZH
    real = [*fillers(language), long, long, long[:-1] + ("s" if language == "en" else "呀")]
    made = [*real[:3], *([f"{word}x" for word in fillers(language, 20)]), "new" * 3, "new" * 3]
    found = copied(pl.Series(made), pl.Series(real))
    assert (found.exact.hits, found.grams.hits, found.repeats.hits) == (3, 3, 1)
    assert (found.real_exact.hits, found.real_grams.hits, found.real_repeats.hits) == (2, 3, 1)
    assert found.exact.n == len(made)
    assert found.real_exact.n == len(real)


def test_real_texts_are_held_against_the_others_not_against_themselves() -> None:
    texts = pl.Series([*fillers("en"), LONG])
    assert copied(texts, texts).real_grams.hits == 0
    assert copied(texts, texts).grams.hits == len(texts)


@pytest.mark.parametrize("count", [0, 19])
def test_too_few_texts_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"{count} made rows"):
        copied(pl.Series(fillers("en", count), dtype=pl.String), pl.Series(fillers("en")))
    with pytest.raises(UsageError, match=f"{count} real rows"):
        copied(pl.Series(fillers("zh")), pl.Series(fillers("zh", count), dtype=pl.String))


def test_a_null_is_refused() -> None:
    with pytest.raises(UsageError, match="1 of 31 texts are null"):
        copied(pl.Series([*fillers("en"), None]), pl.Series(fillers("en")))
