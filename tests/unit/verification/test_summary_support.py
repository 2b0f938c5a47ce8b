"""Summary support: words of the source in any form count, other ones do not; length and language as asked."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, pairs, turns
from zhiling.rows.templates import Example, Turn, builtin, render
from zhiling.verification.ngrams import support
from zhiling.verification.summary_support import SummarySupport

ENGLISH = (
    "Mara asked the harbour office whether the evening ferry to Low Island was running. The clerk said that "
    "storms had stopped all boats since noon, and offered her a ticket for the morning instead. She took it."
)
CHINESE = (
    "玛拉问港务处，去低岛的晚班渡船开不开。办事员说，暴风雨从中午起就让所有船停航了，可以给她换一张明早的票。"
    "她接受了。"
)


def test_counted_are_distinct_content_words_in_their_stems_and_chinese_characters() -> None:
    found = support("The cities agreed to run two trains.", "A city is running trains; running trams.")
    assert (found.words, found.held_words, found.missing) == (4, 3, ("trams",))
    assert found.share == 0.75
    found = support("火车九点开出。", "火车很早开出，真的")
    assert (found.characters, found.held_characters, found.missing) == (6, 4, ("早", "真"))
    mixed = support("Polars 很快", "Polars 快，Spark 慢")
    assert (mixed.words, mixed.characters, mixed.share) == (2, 2, 0.5)
    assert mixed.least(0.4, 0.2) == pytest.approx(0.3)


def test_longer_grams_cross_neither_marks_nor_function_words() -> None:
    found = support("red lamp, blue boat", "The red lamp. Blue boat and lamp red", size=2)
    assert found.missing == ("lamp red",)
    assert support("红灯，蓝船", "红灯蓝船", size=2).missing == ("灯蓝",)


def test_nothing_is_supported_by_anything() -> None:
    for empty in ("", " \n", "。！?", "it is the"):
        assert support("", empty).share == 1.0
        assert support("", empty).least(0.5, 0.5) == 0.0


def judged(
    step: SummarySupport, source: str, reply: str, language: str | None, **more: Any
) -> dict[str, Any]:
    rows = pairs((source, reply)).with_columns(
        task=pl.lit("summarisation"), language=pl.lit(language, dtype=pl.String),
        target=pl.lit(more.get("target"), dtype=pl.String),
    )  # fmt: skip
    assert step.applies(rows).to_list() == [True]
    return step.decide(rows, CONTEXT).row(0, named=True)


@pytest.mark.parametrize(
    ("source", "reply", "language", "reason"),
    [
        (ENGLISH, "Mara wanted the ferry, but storms stop boats, so the clerk offers a morning ticket.",
         "en", None),
        (ENGLISH, "Otto bakes bread with rye flour and sells it at the market.", "en", "unsupported"),
        (ENGLISH, ENGLISH + " Indeed.", "en", "length"),
        (ENGLISH, "暴风雨停航，办事员给玛拉换了明早的船票，她接受了。", "en", "language"),
        (ENGLISH, "暴风雨停航，办事员给玛拉换了明早的船票，她接受了。", "zh", "not_comparable"),
        (CHINESE, "暴风雨让渡船停航，办事员给玛拉换了明早的票。", "zh", None),
        (CHINESE, "奥托用黑麦粉烤面包，每周在集市上出售。", "zh", "unsupported"),
        (CHINESE, CHINESE + "确实如此。", "zh", "length"),
        (CHINESE, "Storms stopped the ferry, and the clerk offered Mara a ticket for the morning.", "zh",
         "language"),
        (CHINESE, "Storms stopped the ferry, and the clerk offered Mara a ticket for the morning.", "en",
         "not_comparable"),
        (CHINESE, "Storms stopped the ferry.", None, "unsupported"),
    ],
)  # fmt: skip
def test_summaries_of_their_source_are_kept(
    source: str, reply: str, language: str | None, reason: str | None
) -> None:
    line = judged(SummarySupport(), source, reply, language)
    assert line["reason"] == reason, line
    assert line["verdict"] == {None: "keep", "not_comparable": "review"}.get(reason, "reject")
    assert (line["score"] is None) == (reason in ("language", "not_comparable"))
    assert 0 < line["length_ratio"] < 1.5


def test_what_is_missing_is_told() -> None:
    line = judged(SummarySupport(), CHINESE, "奥托烤面包。", "zh")
    told = "the source holds 0.00 of it, at least 0.30 is needed; it lacks: 奥, 托, 烤, 面, 包"
    assert (line["problems"], line["score"]) == (told, 0.0)
    many = judged(SummarySupport(), "x", " ".join(f"w{at}" for at in range(20)), None)
    assert "and 8 more" in many["problems"]


def test_bounds_and_language_are_settings() -> None:
    reply = "Otto bakes bread with rye flour."
    assert judged(SummarySupport(words=0.0), ENGLISH, reply, "en")["verdict"] == "keep"
    assert judged(SummarySupport(language="any"), CHINESE, "玛拉", "en")["verdict"] == "keep"
    assert (
        judged(SummarySupport(language="中文"), CHINESE, "Mara took the ticket.", "en")["reason"]
        == "language"
    )
    short = SummarySupport(least_ratio=0.2)
    assert judged(short, ENGLISH, "The ferry.", "en")["problems"].startswith("2 words of 37, at least 0.2")
    assert judged(SummarySupport(most_ratio=None), "灯", "灯灯灯", "zh")["verdict"] == "keep"
    with pytest.raises(ValidationError, match="language is 'klingon'"):
        SummarySupport(language="klingon")


def test_a_broken_target_is_a_reason_and_other_rows_pass_by() -> None:
    step = SummarySupport()
    for target in ("{", json.dumps({"template": {"wording": 3}})):
        line = judged(step, ENGLISH, "Mara.", "en", target=target)
        assert (line["reason"], line["score"], line["length_ratio"]) == ("unreadable_reply", None, None)
    rows = turns([("user", ENGLISH)], [("assistant", "Mara.")], [("user", " "), ("assistant", "x")])
    assert not step.applies(rows.with_columns(task=pl.lit("summarisation"))).any()
    assert step.applies(pairs((ENGLISH, "Mara."))).to_list() == [False]


def test_a_templates_words_are_no_part_of_source_and_summary() -> None:
    for language, source, summary in (
        ("en", ENGLISH, "Storms stopped the ferry; the clerk offered Mara a morning ticket."),
        ("zh", CHINESE, "暴风雨让渡船停航，办事员给玛拉换了明早的票。"),
    ):
        example = Example("summarisation", [Turn("user", source), Turn("assistant", summary)], None)
        wordings = [each for each in builtin("summarisation").values() if each.language == language]
        for wording in wordings:
            row = render(example, wording)
            rows = turns([(role, text) for role, text, *_ in row.messages]).with_columns(
                task=pl.lit("summarisation"), language=pl.lit(language), target=pl.lit(row.target)
            )
            line = SummarySupport().decide(rows, CONTEXT).row(0, named=True)
            assert line == judged(SummarySupport(), source, summary, language), wording.name


WORDS = st.lists(st.sampled_from(["lamp", "river", "the", "灯", "的", "河流", ",", "。"]), max_size=12).map(
    " ".join
)


@given(WORDS, WORDS, WORDS, st.integers(1, 3))
def test_a_longer_source_never_holds_less(source: str, more: str, summary: str, size: int) -> None:
    least, most = support(source, summary, size), support(f"{source}. {more}", summary, size)
    assert 0 <= least.share <= most.share <= 1
    assert support(f"{more}. {summary}", summary, size).share == 1
