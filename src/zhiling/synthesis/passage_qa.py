"""Passage QA: questions that documents answer word for word, and some that they leave open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import ClassVar, NamedTuple

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows import target
from zhiling.rows.templates import Turn
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.passage_questions import KINDS, Kind, Question, questions
from zhiling.synthesis.passage_rows import PassageRow, is_passage, passage_rows, tokens

_CHOICE, _WORDING, _OPEN = 0, 1, 2  # draws
_REACH = 3  # neighbours on either side that an open question may get
_GRAM = 3
_SHARED = 0.3  # of an answer's 3-grams: a passage with more of them may say the same in other words


class _Asked(NamedTuple):
    """A question and the passage that it is put to: its own, or one that leaves it open (two parents)."""

    question: Question
    text: str
    shown: _Read
    parents: tuple[str, ...]
    number: int


class PassageQa(Make):
    """Asks what the form of a passage answers: headings, definitions, tables, numbered steps, gaps.

    An answer is a piece of the passage, word for word, with its place in the target. A share of the questions
    is put to a neighbouring section of the same document that does not answer them: their truth is that there
    is no answer. Kinds: `heading` (a heading that asks, or whose section is one paragraph), `definition`
    (“X is a …”, “X 是指…”, `X: …` in a list), `table` (a cell by row and column), `procedure` (the step of a
    number, the step after another), `cloze` (a sentence without one number, name or quoted term).

    The rows are labelled examples of task `qa`; `template` words them as conversations.
    """

    name = "passage_qa"
    about = ("qa",)
    scope = "group"
    material = True
    cost: ClassVar[str] = "cheap: about 1 millisecond a passage, no model"
    limits: ClassVar[str] = (
        "Asks only what the form of the text tells, in plain wordings. Of two numbered lists below one "
        "heading, of rows or columns of equal name, of terms defined twice nothing is asked. Whether a "
        "neighbouring section leaves a question open is judged by its words: none of the answer, and not "
        "what is asked about."
    )
    source: ClassVar[str] = "cloze: Taylor 1953; questions without an answer: Rajpurkar, Jia, Liang 2018"

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1, description="which questions are asked")
    per_input: int = Field(
        default=4, ge=1, le=1000, description="questions a passage at most, the kinds in turn"
    )
    unanswerable: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="share of the questions that are put to a section which leaves them open",
    )
    max_answer: int = Field(default=300, ge=1, description="characters of an answer at most")

    def reads(self) -> tuple[str, ...]:
        """The passages, where they stand, and which belong together."""
        return ("messages", "task", "language", "extra", "group")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Passages."""
        return is_passage(rows)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """At most `per_input` questions a passage, in the order of the text."""
        made = [
            _made(asked)
            for _, document in groupby(passage_rows(rows), key=lambda each: each.group)
            for asked in self._asked([_Read(each) for each in document], context)
        ]
        return Made(frame(made))

    def _asked(self, document: Sequence[_Read], context: Context) -> Iterator[_Asked]:
        for at, read in enumerate(document):
            found = questions(read.passage, read.language, self.kinds, self.max_answer)
            keys = pl.Series([f"{read.id}\0{number}" for number in range(len(found))], dtype=pl.String)
            draws = [context.uniform(keys, draw).tolist() for draw in (_CHOICE, _WORDING, _OPEN)]
            for number in self._chosen(found, draws[_CHOICE]):
                text = found[number].asked(read.language, draws[_WORDING][number])
                shown = read
                if draws[_OPEN][number] < self.unanswerable:
                    shown = _silent(document, at, found[number]) or read
                parents = (read.id,) if shown is read else (shown.id, read.id)
                yield _Asked(found[number], text, shown, parents, number)

    def _chosen(self, found: Sequence[Question], draws: Sequence[float]) -> list[int]:
        """Numbers of the questions that are asked: of each kind one before any has two."""
        drawn = sorted(range(len(found)), key=draws.__getitem__)
        turns: dict[Kind, int] = {}
        ranked: list[tuple[int, int, int]] = []
        for order, number in enumerate(drawn):
            turns[found[number].kind] = turn = turns.get(found[number].kind, 0) + 1
            ranked.append((turn, order, number))
        return sorted(number for _, _, number in sorted(ranked)[: self.per_input])


class _Read:
    """A passage of the document, with its words as they are compared."""

    def __init__(self, row: PassageRow) -> None:
        self.id, self.passage = row.id, row.passage
        self.language: Language = row.language

    @cached_property
    def words(self) -> str:
        """Its tokens, with a space before and behind each."""
        return _spaced(self.passage.text)

    @cached_property
    def grams(self) -> frozenset[tuple[str, ...]]:
        """Its 3-grams of tokens."""
        return _grams(self.passage.text)

    def answers(self, question: Question, answer: str) -> bool:
        """Whether it may answer: it holds the answer or much of it, or all that is asked about."""
        grams = _grams(answer)
        return (
            _spaced(answer) in self.words
            or all(_spaced(each) in self.words for each in question.subjects)
            or len(grams & self.grams) >= max(1.0, _SHARED * len(grams))
        )


def _spaced(text: str) -> str:
    return f" {' '.join(tokens(text))} "


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = tokens(text)
    return frozenset(zip(*(words[start:] for start in range(_GRAM)), strict=False))


def _silent(document: Sequence[_Read], at: int, question: Question) -> _Read | None:
    """The nearest passage of another section that leaves the question open."""
    own = document[at]
    answer = own.passage.text[question.answer.start : question.answer.end]
    for step in range(1, _REACH + 1):
        for place in (at + step, at - step):
            if 0 <= place < len(document):
                other = document[place]
                apart = other.passage.headings != own.passage.headings
                if apart and other.language == own.language and not other.answers(question, answer):
                    return other
    return None


def _made(asked: _Asked) -> MadeRow:
    turns = [
        Turn("document", asked.shown.passage.text, target.CONTEXT),
        Turn("user", asked.text, target.QUESTION),
    ]
    extra = {"question_kind": asked.question.kind}
    return MadeRow("qa", turns, _truth(asked), asked.parents, asked.number, extra)


def _truth(asked: _Asked) -> target.Answers:
    if len(asked.parents) > 1:
        return target.Answers(answers=[])
    start, end = asked.question.answer
    words = asked.shown.passage.text[start:end]
    place = target.Place(message=0, start=start, end=end)
    return target.Answers(answers=[target.Answer(text=words, place=place)])
