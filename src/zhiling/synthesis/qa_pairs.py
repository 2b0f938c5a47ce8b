"""Question and best answer: pairs out of support conversations, other agents' answers ranked below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Literal

import orjson
import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Encoder, Made, Make
from zhiling.rows.schema import ROW
from zhiling.synthesis.exchanges import READS, Conversation, conversations
from zhiling.synthesis.issues import Issue, issues
from zhiling.synthesis.near_questions import agreement, near_groups
from zhiling.synthesis.outcomes import LogFields, outcomes

_BEST_RANK = 1


@dataclass(frozen=True)
class _Answer:
    """One answer to one question, of one conversation.

    Attributes:
        question: the customer's words.
        text: the agent's.
        outcome: probability that it solved the question.
        row: number of the row that holds it.
        rows: numbers of all rows of the conversation.
    """

    question: str
    text: str
    outcome: float
    row: int
    rows: tuple[int, ...]


class QaPairs(LogFields, Make):
    """Makes pairs of question and best answer out of support conversations.

    The question is what the customer first asked, with what was added where the agent asked back; answers
    that only ask back or ask to wait are none. Questions that say nearly the same form one row: its reply
    is the answer with the highest score, the others stand in `alternatives` (kind `ranked`, with score).
    The score is the probability that the answer solved the question (see `resolution`), times the mean of 1
    and its agreement with the other answers. Where no answer reaches `least_outcome`, nothing is made and the
    conversations pass by as they are.

    `extra` of a pair tells `outcome`, `agreement` and how many `answers` there were. Its parents are all rows
    of the conversations, the best answer's first; they leave as replaced.
    """

    name: ClassVar[str] = "qa_pairs"
    about = ("dialogue", "matching")
    scope = "table"
    effect = "replaces"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "one encoding per question and per answer, and (questions)² · dimension in blocks"
    limits: ClassVar[str] = (
        "Later questions of a conversation hang on what was said before: they are left out, unless "
        "`questions` is `every`. Agreement is likeness of words, not of facts. See also `resolution`."
    )

    questions: Literal["opening", "every"] = Field(
        "opening", description="pairs of a conversation's first question, or of every question"
    )
    least_outcome: float = Field(
        0.5, ge=0, le=1, description="least probability that the best answer solved the question"
    )
    near: float = Field(
        0.85, ge=0, le=1, description="least cosine of questions whose answers are ranked together"
    )

    def reads(self) -> tuple[str, ...]:
        """The turns, where they stand, what the log notes, and the language."""
        return (*READS, "language")

    def uses_encoder(self) -> bool:
        """The vectors tell which questions are near, and which answers agree."""
        return True

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """One row a group of near-equal questions."""
        answers = [answer for conversation in conversations(rows) for answer in self._answers(conversation)]
        made: list[dict[str, Any]] = []
        for group in self._groups(answers, rows, context.encoder) if answers else ():
            ranked = _ranked(group, context.encoder)
            if ranked[0][0].outcome >= self.least_outcome:
                made.append(_row(ranked, group, rows["id"]))
        return Made(pl.DataFrame(made, schema=_SCHEMA))

    def _answers(self, conversation: Conversation) -> Iterator[_Answer]:
        found = issues(conversation, outcomes(conversation, self))
        rows = {exchange.row: None for exchange in conversation.exchanges}
        if conversation.closing_row is not None:
            rows[conversation.closing_row] = None
        for issue in found[:1] if self.questions == "opening" else found:
            yield from _tries(issue, conversation, tuple(rows))

    def _groups(
        self, answers: Sequence[_Answer], rows: pl.DataFrame, encoder: Encoder
    ) -> Iterator[list[_Answer]]:
        """Answers to near-equal questions, of one language and one licence."""
        apart: defaultdict[tuple[Any, Any], list[_Answer]] = defaultdict(list)
        for answer in answers:
            licence = rows.item(answer.row, "origin")["licence"]
            apart[licence, rows.item(answer.row, "language")].append(answer)
        for _, alike in sorted(apart.items(), key=lambda item: tuple(map(str, item[0]))):
            ordered = sorted(alike, key=_ORDER)
            questions = list(dict.fromkeys(answer.question for answer in ordered))
            place = {question: number for number, question in enumerate(questions)}
            for group in near_groups(questions, encoder.encode(questions), self.near):
                members = set(group)
                yield [answer for answer in ordered if place[answer.question] in members]


_ORDER = attrgetter("question", "text", "outcome")

_SCHEMA: dict[str, pl.DataType] = {
    "messages": ROW["messages"],
    "alternatives": ROW["alternatives"],
    "task": ROW["task"],
    "extra": ROW["extra"],
    "parents": pl.List(pl.String),
}


def _tries(issue: Issue, conversation: Conversation, rows: tuple[int, ...]) -> Iterator[_Answer]:
    for tried in issue.tries:
        row = conversation.exchanges[tried.exchange].row
        yield _Answer(issue.question, tried.answer, tried.outcome.score, row, rows)


def _ranked(group: Sequence[_Answer], encoder: Encoder) -> list[tuple[_Answer, float, float]]:
    """Answers with agreement and score, the best first; of equal texts only the best."""
    agreed = agreement(encoder.encode([answer.text for answer in group])).tolist()
    scored = [
        (answer, agrees, answer.outcome * (1 + agrees) / 2)
        for answer, agrees in zip(group, agreed, strict=True)
    ]
    scored.sort(key=lambda each: (-each[2], each[0].text, each[0].question))
    distinct: dict[str, tuple[_Answer, float, float]] = {}
    for each in scored:
        distinct.setdefault(" ".join(each[0].text.split()).casefold(), each)
    return list(distinct.values())


def _row(
    ranked: Sequence[tuple[_Answer, float, float]], group: Sequence[_Answer], ids: pl.Series
) -> dict[str, Any]:
    best, agrees, _ = ranked[0]
    parents = dict.fromkeys([best.row, *sorted({row for answer in group for row in answer.rows})])
    told = {"outcome": round(best.outcome, 4), "agreement": round(agrees, 4), "answers": len(ranked)}
    return {
        "messages": [
            {"role": "user", "text": best.question},
            {"role": "assistant", "text": best.text},
        ],
        "alternatives": [
            {
                "messages": [{"role": "assistant", "text": answer.text}],
                "kind": "ranked",
                "rank": rank,
                "score": score,
            }
            for rank, (answer, _, score) in enumerate(ranked[1:], _BEST_RANK + 1)
        ]
        or None,
        "task": "dialogue",
        "extra": orjson.dumps(told).decode(),
        "parents": [ids[row] for row in parents],
    }
