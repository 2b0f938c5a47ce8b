"""Passage QA: questions that documents answer word for word, and some that they leave open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

import orjson
import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows import target
from zhiling.rows.conversation import flatten, nest
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.passage_questions import (
    KINDS,
    Kind,
    Passage,
    Question,
    language_of,
    questions,
    tokens,
)

_CHOICE, _WORDING, _OPEN = 0, 1, 2  # draws
_REACH = 3  # neighbours on either side that an open question may get
_GRAM = 3
_SHARED = 0.3  # of an answer's 3-grams: a passage with more of them may say the same in other words


class _Row(NamedTuple):
    question: Question
    asked: str
    shown: _Read
    parents: tuple[str, ...]
    number: int
    open: bool


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
        return (rows["task"] == "passage").fill_null(False)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """At most `per_input` questions a passage, in the order of the text."""
        made = [
            row
            for _, document in groupby(_passages(rows), key=lambda each: each.group)
            for row in self._asked(list(document), context)
        ]
        return Made(_frame(made))

    def _asked(self, document: Sequence[_Read], context: Context) -> Iterator[_Row]:
        for at, read in enumerate(document):
            found = questions(read.passage, read.language, self.kinds, self.max_answer)
            keys = pl.Series([f"{read.id}\0{number}" for number in range(len(found))], dtype=pl.String)
            draws = [context.uniform(keys, draw).tolist() for draw in (_CHOICE, _WORDING, _OPEN)]
            for number in self._chosen(found, draws[_CHOICE]):
                asked = found[number].asked(read.language, draws[_WORDING][number])
                shown = read
                if draws[_OPEN][number] < self.unanswerable:
                    shown = _silent(document, at, found[number]) or read
                parents = (read.id,) if shown is read else (shown.id, read.id)
                yield _Row(found[number], asked, shown, parents, number, shown is not read)

    def _chosen(self, found: Sequence[Question], draws: Sequence[float]) -> list[int]:
        """Numbers of the questions that are asked: of each kind one before any has two."""
        drawn = sorted(range(len(found)), key=draws.__getitem__)
        turns: dict[Kind, int] = {}
        ranked: list[tuple[int, int, int]] = []
        for order, number in enumerate(drawn):
            turns[found[number].kind] = turn = turns.get(found[number].kind, 0) + 1
            ranked.append((turn, order, number))
        return sorted(number for _, _, number in sorted(ranked)[: self.per_input])


@dataclass(frozen=True)
class _Read:
    """A row as a passage."""

    id: str
    group: str
    language: Language
    passage: Passage

    @cached_property
    def words(self) -> str:
        """Its tokens, with a space before and behind each."""
        return f" {' '.join(tokens(self.passage.text))} "

    @cached_property
    def grams(self) -> frozenset[tuple[str, ...]]:
        """Its 3-grams of tokens."""
        return _grams(tokens(self.passage.text))

    def answers(self, question: Question, answer: str) -> bool:
        """Whether it may answer: it holds the answer or much of it, or all that is asked about."""
        told = tokens(answer)
        grams = _grams(told)
        return (
            f" {' '.join(told)} " in self.words
            or all(f" {' '.join(tokens(each))} " in self.words for each in question.subjects)
            or len(grams & self.grams) >= max(1.0, _SHARED * len(grams))
        )


def _grams(words: Sequence[str]) -> frozenset[tuple[str, ...]]:
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


def _passages(rows: pl.DataFrame) -> Iterator[_Read]:
    first = flatten(rows["messages"]).filter(pl.col("turn") == 0)
    texts = dict(first.select("row", "text").iter_rows())
    columns = zip(*(rows[name].to_list() for name in ("id", "group", "language", "extra")), strict=True)
    for row, (id, group, language, extra) in enumerate(columns):
        told: dict[str, Any] = orjson.loads(extra) if extra else {}
        text = texts.get(row) or ""
        passage = Passage(
            text, tuple(told.get("headings") or ()), told.get("title") or "", told.get("parts") or 1
        )
        yield _Read(id, group or id, language_of(text, language), passage)


def _frame(made: Sequence[_Row]) -> pl.DataFrame:
    turns = [
        turn
        for row in made
        for turn in (
            ("document", row.shown.passage.text, target.CONTEXT),
            ("user", row.asked, target.QUESTION),
        )
    ]
    flat = pl.DataFrame(turns, schema={"role": pl.String, "text": pl.String, "name": pl.String}, orient="row")
    columns = {
        "task": ["qa"] * len(made),
        "target": [_target(row) for row in made],
        "extra": [orjson.dumps({"question_kind": row.question.kind}).decode() for row in made],
        "sample": [row.number for row in made],
        "parents": [list(row.parents) for row in made],
    }
    schema = {"task": pl.String, "target": pl.String, "extra": pl.String, "sample": pl.Int64}
    frame = pl.DataFrame(columns, schema={**schema, "parents": pl.List(pl.String)})
    return frame.with_columns(nest(flat, [2] * len(made)).alias("messages"))


def _target(row: _Row) -> str:
    if row.open:
        return target.spelled(target.Answers(answers=[]))
    place = row.question.answer
    words = row.shown.passage.text[place.start : place.end]
    told = target.Answer(text=words, place=target.Place(message=0, start=place.start, end=place.end))
    return target.spelled(target.Answers(answers=[told]))
