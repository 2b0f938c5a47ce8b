"""Answered again: a second reader finds a row's answer in its document, asked the question alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.llm.asking import accepts, said
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask, Complaint
from zhiling.pipeline.step import Context, Verdict
from zhiling.rows.conversation import flatten
from zhiling.rows.target import Answers, Place
from zhiling.verification.answers import shared_words
from zhiling.verification.check import holds, truth_in
from zhiling.verification.replies import Messages
from zhiling.verification.round_trip import PROMPT, Verified, disagreement, standing
from zhiling.verification.second_reader import Line, SecondReader

_BETWEEN = "\n\n"


@dataclass(frozen=True)
class Question:
    """What is asked again, and what was answered.

    Attributes:
        passage: the row's documents, one after the other.
        text: the user's last turn, the question.
        answers: right ones in words; none: the passage does not answer.
        places: of the answers in the passage; none: no answer says where, and its words stand nowhere.
    """

    passage: str
    text: str
    answers: Sequence[str]
    places: Sequence[Place]

    @classmethod
    def of(cls, messages: Messages, truth: Answers) -> Question:
        """The question of a row."""
        starts: dict[int, int] = {}
        passage = question = ""
        for at, turn in enumerate(messages):
            text = turn["text"] or ""
            if turn["role"] == "document":
                starts[at] = len(passage) + len(_BETWEEN) * bool(starts)
                passage = f"{passage}{_BETWEEN}{text}" if len(starts) > 1 else text
            elif turn["role"] == "user" and turn["name"] != "choice":
                question = text
        answers = [answer.text for answer in truth.answers]
        return cls(passage, question, answers, list(_places(truth, passage, starts)))

    def likeness(self, told: Verified) -> float:
        """F1 of the words that both answers share, of the nearest right one; 1 where neither answers."""
        if not self.answers or not told.answerable:
            return float(not self.answers and not told.answerable)
        return max(shared_words(answer, told.evidence) for answer in self.answers)


def _places(truth: Answers, passage: str, starts: Mapping[int, int]) -> Iterator[Place]:
    for answer in truth.answers:
        place = answer.place
        if place is None or place.message not in starts:
            yield from standing(answer.text, passage)
        else:
            start = starts[place.message]
            yield Place(start=start + place.start, end=start + place.end)


class AnsweredAgain(SecondReader):
    """Rejects questions whose answer a second reader does not find again in the document.

    A role of the recipe's `models` reads document and question, and says whether the document answers, and in
    which words of it. Both stand between marks that they cannot close. The answers agree where these words
    overlap the row's own answer; one that has no place, and whose words stand nowhere, is compared by its
    words. A row that says that nothing answers agrees with a reader who finds nothing.

    Reasons, the first that holds: `broken_target` (it holds no answers that can be read, or the row asks
    nothing), `not_answered` (the reader finds no answer, one elsewhere, or quotes what is not there),
    `answered_after_all`. Score: F1 of the words of both answers, 0 to 1. A row whose call fails fails with
    the class of the call.

    Prompts: answered_again.
    """

    name = "answered_again"
    about = ("qa",)
    cost: ClassVar[str] = "one call a row"
    limits: ClassVar[str] = (
        "A reader who errs rejects a right row, and one who quotes all of a document agrees with anything in "
        "it: name a good model, not the one that wrote the rows. Questions that are right for several places "
        "are held to the row's own. Templated rows pass by: put it before `template`."
    )
    source: ClassVar[str] = "Alberti et al. 2019, Synthetic QA corpora generation with roundtrip consistency"
    prompts = {PROMPT: ("passage", "question")}

    least_f1: float = Field(
        0.3, ge=0, le=1, description="least F1 of words with an answer that stands nowhere in the document"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        BROKEN_TARGET = "broken_target"
        NOT_ANSWERED = "not_answered"
        ANSWERED_AFTER_ALL = "answered_after_all"

    def writes(self) -> dict[str, pl.DataType]:
        """The words that the reader found, and what is wrong; null where nothing is."""
        return {"evidence": pl.String(), "problems": pl.String()}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a document and answers that no template wrote."""
        roles = flatten(rows["messages"]).select("row", "role")
        shown = set(roles.filter(pl.col("role") == "document")["row"])
        documents = pl.Series([row in shown for row in range(rows.height)], dtype=pl.Boolean)
        return documents & holds(rows["target"], "answers") & ~holds(rows["target"], "template")

    def posed(self, rows: pl.DataFrame, context: Context) -> list[Question | str]:
        """The question of each row, or in words why there is none."""
        cells = rows.select("messages", "target").rows()
        return [_question(messages or [], target) for messages, target in cells]

    def asks(self, posed: Question, language: str, root: Path) -> list[Ask]:
        """The question beside its passage."""
        values = {"passage": posed.passage, "question": posed.text}
        return [Ask(self.request(PROMPT, language, root, values, Verified), accept=accepts(Verified))]

    def line(self, posed: Question, replies: Sequence[Reply]) -> Line:
        """The row's line, by the likeness of both answers."""
        told = said(Verified, replies[0])
        likeness = posed.likeness(told)
        problem = self._problem(posed, told, likeness)
        found = {"score": likeness, "evidence": told.evidence if told.answerable else None}
        if problem is None:
            return {**found, "verdict": str(Verdict.KEEP)}
        return {
            **found,
            "verdict": str(Verdict.REJECT),
            "reason": problem.cls,
            "problems": problem.message,
        }

    def _problem(self, question: Question, told: Verified, likeness: float) -> Complaint | None:
        if question.places or not question.answers:
            return disagreement(told, question.passage, question.places)
        if told.answerable and likeness >= self.least_f1:
            return None
        found = f"it says {told.evidence[:80]!r}" if told.answerable else "the passage gives no answer"
        return Complaint("not_answered", f"asked again, {found}")


def _question(messages: Messages, target: str) -> Question | str:
    truth = truth_in(target, Answers)
    if isinstance(truth, str):
        return truth
    question = Question.of(messages, truth)
    return question if question.text.strip() else "the row asks nothing"
