"""Answered again: an answer that a second reader finds stays, others go; calls that fail are failures."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.teacher import Scripted, fenced_text
from tests.unit.curation.frames import CONTEXT, turns
from zhiling.pipeline.apply import apply
from zhiling.pipeline.fingerprint import row_keys
from zhiling.pipeline.step import Context
from zhiling.verification.answered_again import AnsweredAgain
from zhiling.verification.answers import equal_answers, shared_words, words_of

EN = "The reading room opens at nine.\nOn Fridays it closes at eight. Members borrow five books."
ZH = "阅览室九点开门，星期五八点关门。会员一次可以借五本书。"


def answer(passage: str, words: str, *, placed: bool = True, message: int = 0) -> dict[str, Any]:
    start = passage.find(words)
    place = {"message": message, "start": start, "end": start + len(words)}
    return {"text": words, **({"place": place} if placed else {})}


def decided(
    passage: str, question: str, answers: list[Any], reply: Any, **settings: Any
) -> tuple[dict[str, Any], list[str]]:
    prompts: list[str] = []

    def script(prompt: str) -> Any:
        prompts.append(prompt)
        return reply

    rows = turns([("document", passage), ("user", question)]).with_columns(
        target=pl.lit(json.dumps({"answers": answers}))
    )
    step = AnsweredAgain(**settings)
    assert step.applies(rows).to_list() == [True]
    context = Context("again", load_models=lambda step: Scripted(script))
    return step.decide(rows, context).row(0, named=True), prompts


def found(evidence: str) -> dict[str, Any]:
    return {"answerable": True, "evidence": evidence}


NOTHING = {"answerable": False, "evidence": ""}
EIGHT, ACHT = answer(EN, "closes at eight"), answer(ZH, "八点关门")


@pytest.mark.parametrize(
    ("passage", "question", "answers", "reply", "reason"),
    [
        (EN, "When does it close on Fridays?", [EIGHT], found("On Fridays it closes at eight"), None),
        (EN, "When does it close on Fridays?", [EIGHT], found("at eight"), None),
        (EN, "When does it open?", [EIGHT], found("opens at nine"), "not_answered"),
        (EN, "When does it open?", [EIGHT], found("opens at ten"), "not_answered"),
        (EN, "When does it close?", [EIGHT], NOTHING, "not_answered"),
        (EN, "What does a card cost?", [], NOTHING, None),
        (EN, "What does a card cost?", [], found("five books"), "answered_after_all"),
        (EN, "How many?", [answer(EN, "five books", placed=False)], found("Members borrow five books"), None),
        (EN, "How many?", [answer(EN, "five books", placed=False)], found("On Fridays"), "not_answered"),
        (EN, "How many?", [{"text": "Members take five"}], found("Members borrow five books"), None),
        (EN, "How many?", [{"text": "a dozen or so"}], found("Members borrow five books"), "not_answered"),
        (EN, "How many?", [{"text": "a dozen or so"}], NOTHING, "not_answered"),
        (ZH, "星期五几点关门？", [ACHT], found("星期五八点关门"), None),
        (ZH, "星期五几点关门？", [ACHT], found("九点开门"), "not_answered"),
        (ZH, "星期五几点关门？", [ACHT], NOTHING, "not_answered"),
        (ZH, "办证多少钱？", [], NOTHING, None),
        (ZH, "办证多少钱？", [], found("借五本书"), "answered_after_all"),
        (ZH, "借几本？", [{"text": "一次借五本书"}], found("会员一次可以借五本书"), None),
        (ZH, "借几本？", [{"text": "三十元"}], found("会员一次可以借五本书"), "not_answered"),
    ],
)
def test_what_a_second_reader_finds(
    passage: str, question: str, answers: list[Any], reply: Any, reason: str | None
) -> None:
    line, (prompt,) = decided(passage, question, answers, reply)
    assert (line["reason"], line["failure"]) == (reason, None), line
    assert (line["verdict"] == "keep") == (reason is None) == (line["problems"] is None)
    assert line["evidence"] == (reply["evidence"] or None)
    assert 0 <= line["score"] <= 1
    assert fenced_text(prompt) == passage
    assert fenced_text(prompt, "question") == question
    assert ("你检查" in prompt) == (passage is ZH)


def test_the_score_is_the_likeness_and_its_bound_a_setting() -> None:
    line, _ = decided(EN, "How many?", [{"text": "Members take five"}], found("Members borrow five books"))
    assert line["score"] == pytest.approx(4 / 7)
    strict, _ = decided(
        EN, "How many?", [{"text": "Members take five"}], found("Members borrow five books"), least_f1=0.6
    )
    assert (strict["reason"], strict["score"]) == ("not_answered", line["score"])
    loose, _ = decided(EN, "How many?", [{"text": "a dozen"}], NOTHING, least_f1=0)
    assert loose["reason"] == "not_answered"


def test_several_documents_are_one_passage_with_their_places() -> None:
    step, told = AnsweredAgain(), {"answers": [answer(ZH, "八点关门", message=1)]}
    rows = turns([("document", EN), ("document", ZH), ("user", "几点？")])
    rows = rows.with_columns(target=pl.lit(json.dumps(told)))
    for words, reason in (("八点关门", None), ("closes at eight", "not_answered")):
        context = Context("again", load_models=lambda step, words=words: Scripted(lambda _: found(words)))
        assert step.decide(rows, context)["reason"].to_list() == [reason]


def test_a_broken_target_costs_no_call_and_a_failed_call_is_a_failure() -> None:
    asked, mute = [("document", EN), ("user", "When?")], [("document", EN), ("user", " ")]
    rows = turns(asked, asked, asked, mute, ids=[f"{at:032x}" for at in range(4)])
    good = json.dumps({"answers": [EIGHT]})
    rows = rows.with_columns(
        target=pl.Series(['{"answers": 3}', good, good, good]), n=pl.int_range(4, dtype=pl.UInt32)
    )
    rows = rows.with_columns(row_keys(rows, ["target", "language"]))
    models = Scripted(lambda _: {"answerable": "perhaps"})
    outcome = apply(AnsweredAgain(), rows, Context("x", load_models=lambda _: models))
    assert outcome.ledger.sort("n").select("verdict", "reason").rows() == [
        ("reject", "broken_target"), ("failed", "schema"), ("failed", "schema"), ("reject", "broken_target"),
    ]  # fmt: skip
    assert len(AnsweredAgain().first_asks(rows, CONTEXT)) == models.asked == 2


def test_rows_without_document_or_answers_and_templated_ones_pass_by() -> None:
    asked = [("document", EN), ("user", "x")]
    rows = turns([("user", "x")], asked, asked, asked).with_columns(
        target=pl.Series(['{"answers": []}', None, '{"labels": []}', '{"answers": [], "template": {}}'])
    )
    assert not AnsweredAgain().applies(rows).any()


def test_likeness_of_answers() -> None:
    assert words_of("The “Big” Apple, 1999!") == ("big", "apple", "1999")
    assert words_of("在２０１０年。") == ("在", "2010", "年")
    assert equal_answers("The Thames", "thames") == 1
    assert equal_answers("River Thames", "thames") == 0
    assert shared_words("thames", "river thames") == pytest.approx(2 / 3)
    assert shared_words("北京", "北京大学") == pytest.approx(2 / 3)
