"""Spans: wrong places, types, facts and quotations are found in both languages; right ones pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.curation.frames import CONTEXT, turns
from zhiling.rows.target import Place
from zhiling.verification.contradictions import Signature
from zhiling.verification.places import fault
from zhiling.verification.quotes import false_quotes, quotes, stands_in
from zhiling.verification.spans import Spans

ENGLISH = "Ada Wu moved from Sund to New York in 2019."
CHINESE = "吴艾达二〇一九年从松德搬到纽约。"


def judged(step: Spans, messages: Sequence[tuple[str, str]], target: Any) -> dict[str, Any]:
    text = target if isinstance(target, str) or target is None else json.dumps(target)
    rows = turns(messages).with_columns(pl.Series("target", [text], dtype=pl.String))
    assert step.applies(rows).to_list() == [True]
    return step.decide(rows, CONTEXT).row(0, named=True)


def reason(text: str, *spans: tuple[int, int, str], step: Spans | None = None, **more: Any) -> str | None:
    entities = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    return judged(step or Spans(), [("user", text)], {"spans": entities} | more)["reason"]


@pytest.mark.parametrize(
    ("text", "span", "wrong"),
    [
        (ENGLISH, (0, 6), None),
        (ENGLISH, (26, 34), None),
        (CHINESE, (0, 3), None),
        (ENGLISH, (26, 44), "outside"),
        (CHINESE, (3, 3), "outside"),
        (CHINESE, (15, 17), "outside"),
        (ENGLISH, (0, 7), "ragged"),
        (ENGLISH, (0, 5), "cut_word"),
        (ENGLISH, (19, 22), "cut_word"),
        (ENGLISH, (40, 42), "cut_word"),
        ("电话13800138000转3号", (3, 13), "cut_word"),
    ],
)
def test_a_place_lies_in_its_text_and_cuts_no_word(
    text: str, span: tuple[int, int], wrong: str | None
) -> None:
    assert reason(text, (*span, "x")) == wrong


def test_words_that_the_target_tells_must_stand_there() -> None:
    for start, wrong in ((0, None), (1, "not_there")):
        entity = {"start": start, "end": start + 3, "label": "人名", "text": "吴艾达"}
        assert judged(Spans(), [("user", CHINESE)], {"spans": [entity]})["reason"] == wrong


def test_spans_cross_nest_and_repeat() -> None:
    assert reason(CHINESE, (0, 3, "a"), (0, 8, "b")) is None
    assert reason(CHINESE, (0, 3, "a"), (2, 8, "b")) == "crossing"
    assert reason(CHINESE, (0, 3, "a"), (0, 3, "b")) is None
    assert reason(CHINESE, (0, 3, "a"), (0, 3, "a")) == "repeated"


def test_tokens_and_tags_say_what_the_entities_do() -> None:
    tokens, person = [[0, 3], [4, 6], [7, 12]], (0, 6, "PER")
    assert reason(ENGLISH, person, tokens=tokens, tags=["B-PER", "I-PER", "O"]) is None
    assert reason(ENGLISH, person, tokens=tokens, tags=["B-LOC", "I-LOC", "O"]) == "tags_differ"
    assert reason(ENGLISH, person, tokens=tokens, tags=["B-PER", "I-PER"]) == "tags_differ"
    assert reason(ENGLISH, person, tokens=[[0, 3], [4, 12]], tags=["B-PER", "I-PER"]) == "tags_differ"
    assert reason(ENGLISH, person, tokens=[[0, 3], [4, 6], [40, 50]]) == "tags_differ"
    assert reason(ENGLISH, person, tokens=[[4, 6], [0, 3]]) == "tags_differ"


def test_types_are_those_of_a_list() -> None:
    step = Spans(types=("人名", "PER"))
    assert reason(CHINESE, (0, 3, "人名"), step=step) is None
    assert reason(CHINESE, (0, 3, "地名"), step=step) == "unknown_type"


def fact(subject: str, relation: str, object_: str, **more: Any) -> dict[str, Any]:
    return {"subject": subject, "relation": relation, "object": object_, **more}


RULED = Spans(one_object=("出生地",), one_way=("parent of",), exclusive=(("likes", "hates"),))
LIVES = {"lives in": Signature(subject=("PER",), object=("LOC",))}


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ([fact("吴艾达", "出生地", "松德"), fact("李明", "出生地", "纽约")], None),
        ([fact("吴艾达", "出生地", "松德"), fact("吴艾达", "出生地", "纽约")], "contradiction"),
        ([fact("Ada", "parent of", "Bo"), fact("Bo", "parent of", "Cy")], None),
        ([fact("Ada", "parent of", "Bo"), fact("bo", "parent of", "ADA")], "contradiction"),
        ([fact("Ada", "parent of", "Ada")], "contradiction"),
        ([fact("Ada", "likes", "Bo"), fact("Bo", "hates", "Ada")], None),
        ([fact("Ada", "likes", "Bo"), fact("Ada", "hates", "Bo")], "contradiction"),
        ([fact("Ada", "knows", "Bo"), fact("Ada", "knows", "Bo")], "repeated"),
    ],
)
def test_facts_do_not_contradict(facts: list[dict[str, Any]], wrong: str | None) -> None:
    assert judged(RULED, [("user", ENGLISH)], {"relations": facts})["reason"] == wrong


def test_ends_of_facts_fit_relation_types_and_places() -> None:
    places = {"subject_place": {"start": 0, "end": 6}, "object_place": {"start": 26, "end": 34}}
    types = {"subject_type": "PER", "object_type": "LOC"}
    lives = fact("Ada Wu", "lives in", "New York", **types, **places)
    step = Spans(relations=LIVES)
    assert judged(step, [("user", ENGLISH)], {"relations": [lives]})["reason"] is None
    for change, wrong in (
        ({"object_type": "PER"}, "wrong_type"),
        ({"relation": "moved to"}, "unknown_type"),
        ({"object": "Sund"}, "not_there"),
        ({"subject_place": {"start": 0, "end": 60}}, "outside"),
    ):
        assert judged(step, [("user", ENGLISH)], {"relations": [lives | change]})["reason"] == wrong
    spans = [{"start": 0, "end": 6, "label": "ORG"}]
    assert (
        judged(step, [("user", ENGLISH)], {"relations": [lives], "spans": spans})["reason"] == "contradiction"
    )


def test_answers_stand_in_their_passage() -> None:
    messages = [("document", CHINESE), ("user", "搬到哪里？")]
    placed = {"answers": [{"text": "纽约", "place": {"start": 13, "end": 15}}]}
    assert judged(Spans(), messages, placed)["reason"] is None
    placed["answers"][0]["place"] = {"start": 12, "end": 14}
    answer = judged(Spans(), messages, placed)
    assert (answer["reason"], answer["score"]) == ("not_there", 1)
    assert answer["problems"] == "12–14 of message 0: '到纽' stands there, not '纽约'"
    loose = {"answers": [{"text": "伦敦"}]}
    assert judged(Spans(), messages, loose)["reason"] is None
    assert judged(Spans(verbatim=True), messages, loose)["reason"] == "not_there"
    assert judged(Spans(verbatim=True), messages, {"answers": [{"text": "纽 约"}]})["reason"] is None


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ('It says "moved from Sund to New York".', None),
        ("“Ada Wu moved … in 2019.”", None),
        ("“in 2019 … Ada Wu moved”", "false_quote"),
        ('It says "moved from Sund to Paris".', "false_quote"),
        ('A "fine" move.', None),
        ("文中写道：“从松德搬到纽约。”", None),
        ("文中写道：「从松德搬到巴黎」。", "false_quote"),
        ('Run `say "nothing at all here"`.', None),
        ("You ask “where did she move?”", None),
    ],
)
def test_quotations_are_true(reply: str, wrong: str | None) -> None:
    messages = [("document", ENGLISH + CHINESE), ("user", "Where did she move?"), ("assistant", reply)]
    assert judged(Spans(), messages, None)["reason"] == wrong


def test_rows_without_anything_to_look_at_pass_by() -> None:
    rows = pl.concat(
        [
            turns([("document", "a"), ("user", "b")], ids=["no reply"]),
            turns([("user", "b"), ("assistant", "“c d e f”")], ids=["no document"]),
            turns([("document", "a"), ("assistant", "“c d e f”")], ids=["both"]),
            turns([("user", "b")], ids=["labels"]),
        ]
    ).with_columns(target=pl.Series([None, None, None, '{"labels":["a"]}'], dtype=pl.String))
    assert Spans().applies(rows).to_list() == [False, False, True, False]
    assert not Spans(quote_least=None).applies(rows).any()
    for broken in ('{"spans":[{"start":1}]}', '{"spans":[', '["spans"]', '{"answers":3}'):
        assert judged(Spans(), [("user", "b")], broken)["reason"] == "broken_target"


def test_quotes_are_found_by_their_marks() -> None:
    assert list(quotes('"a b", “c”「d」《e》 5\'10" and 6" wide')) == ["a b", "c", "d"]
    assert false_quotes("“２０１９年的 松德”", "2019年\n的松德", 2) == []


@given(st.text(min_size=1, max_size=40), st.data())
def test_what_stands_at_a_place_is_found_there(text: str, data: st.DataObject) -> None:
    """Words taken from a place fit it, and stand in the text; any others are told apart."""
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    found, place = text[start:end], Place(start=start, end=end)
    wrong = fault([text], place, found)
    assert wrong is None or wrong[0] in ("ragged", "cut_word")
    assert fault([text], place, found + "x")[0] == "not_there"  # type: ignore[index]
    assert stands_in(text, text)
