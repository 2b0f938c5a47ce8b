"""Truths and answers in words, as the report shows them."""

from __future__ import annotations

import pytest

from zhiling.rows.target import (
    Answer,
    Answers,
    Choice,
    Entities,
    Labels,
    Place,
    Relations,
    Span,
    Triple,
    spelled,
)
from zhiling.rows.templates.example import Turn
from zhiling.training import Input, text_input
from zhiling.workflow.proof.answer_words import in_words

EN = text_input("Anna Lind flew to Kyoto.")
ZH: Input = (Turn("document", "王强住在青岛。", "context"), Turn("user", "王强住在哪里？", "question"))
ASKED: Input = (
    Turn("user", "Where do fish live?", "question"),
    Turn("user", "in trees", "choice"),
    Turn("user", "水里", "choice"),
)
ANNA, KYOTO = Span(start=0, end=9, label="PER"), Span(start=18, end=23, label="LOC")
FLEW = Triple(subject="Anna Lind", relation="flew_to", object="Kyoto")
QINGDAO = Answer(text="青岛", place=Place(message=0, start=4, end=6))


@pytest.mark.parametrize(
    ("answer", "turns", "words"),
    [
        ("positive", EN, "positive"),
        ("4.5", EN, "4.5"),
        ("{not JSON", EN, "{not JSON"),
        (spelled(Entities(spans=[ANNA, KYOTO])), EN, "Anna Lind PER · Kyoto LOC"),
        (spelled(Entities(spans=[])), EN, "–"),
        (spelled(Entities(spans=[Span(message=1, start=0, end=2, label="人")])), ZH, "王强 人"),
        (spelled(Relations(relations=[FLEW], spans=[ANNA])), EN, "Anna Lind –flew_to→ Kyoto"),
        (spelled(Answers(answers=[QINGDAO, Answer(text="青岛市")])), ZH, "青岛 / 青岛市"),
        (spelled(Answers(answers=[])), ZH, "–"),
        (spelled(Choice(choice=1)), ASKED, "水里"),
        (spelled(Choice(choice=7)), ASKED, "option 7"),
        (spelled(Labels(labels=["delivery", "质量"])), EN, "delivery · 质量"),
        (spelled(Labels(labels=[])), EN, "–"),
    ],
)
def test_an_answer_is_told_in_words(answer: str, turns: Input, words: str) -> None:
    assert in_words(answer, turns) == words
