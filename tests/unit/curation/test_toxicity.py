"""Toxicity: threats, contempt, insults and coarse words, disguised or not, flagged by their weight."""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, empty, pairs, reasons, turns
from zhiling.curation.toxicity import Toxicity


def judged(text: str | None, **settings: object) -> tuple[str, str | None, float]:
    answer = Toxicity.model_validate(settings).decide(pairs((text, "ok")), CONTEXT)
    verdict, reason, score, _ = answer.row(0)
    return verdict, reason, round(score, 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I will kill you", "threat"),
        ("just kill yourself", "threat"),
        ("我要弄死你", "threat"),
        ("你怎么不去死", "threat"),
        ("those immigrants are vermin", "contempt"),
        ("外地人都是垃圾", "contempt"),
        ("what a b1tch", "insult"),
        ("you are a pathetic loser", "insult"),
        ("你就是个废物", "insult"),
        ("真是傻 逼", "insult"),
        ("f u c k this sh*t", "profanity"),
        ("他妈的，什么狗屁", "profanity"),
    ],
)
def test_toxic_rows_are_flagged_by_their_heaviest_class(text: str, reason: str) -> None:
    verdict, found, score = judged(text)
    assert (verdict, found) == ("flag", reason)
    assert 0.5 < score <= 1


@pytest.mark.parametrize(
    "text",
    [
        "The killer whale is the largest dolphin.",
        "Shiitake mushrooms, Scunthorpe and a class assignment",
        "My printer is useless",
        "他去世后，大家都很怀念他。",
        "垃圾分类从今天开始。",
        "这台机器杀死细菌。",
        "https://example.org/classes?x=1:3",
        "😀 3:1",
        "",
        None,
    ],
)
def test_plain_rows_score_nothing(text: str | None) -> None:
    assert judged(text) == ("keep", None, 0.0)


def test_one_coarse_word_stays_below_the_bound_and_the_bound_is_a_setting() -> None:
    assert judged("this is shit") == ("keep", None, 0.4)
    assert judged("this is shit", at_most=0.3, verdict="reject") == ("reject", "profanity", 0.4)


def test_only_replies_on_request_and_never_the_system() -> None:
    rows = turns([("system", "never say: you idiot"), ("user", "you idiot"), ("assistant", "sorry")])
    assert reasons(Toxicity().decide(rows, CONTEXT)) == ["insult"]
    assert reasons(Toxicity(on="reply").decide(rows, CONTEXT)) == [None]


def test_many_hits_count_three_times_at_most_and_no_rows_are_fine() -> None:
    assert judged("shit " * 3)[2] == judged("shit " * 300)[2] == 0.78
    assert Toxicity().decide(empty(), CONTEXT).height == 0
    assert Toxicity().decide(pl.DataFrame(turns([])), CONTEXT)["score"].to_list() == [0.0]
