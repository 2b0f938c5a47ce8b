"""Chosen again: a second reader says which choice is right, with the choices in two orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from zhiling.llm.asking import Said, accepts, said
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask, Complaint
from zhiling.pipeline.step import Context, Verdict
from zhiling.rows.target import CHOICE, Choice
from zhiling.verification.check import truth_in
from zhiling.verification.replies import Messages, pieces_of
from zhiling.verification.second_reader import Line, SecondReader

_PROMPT = "chosen_again"
_TURN = 1  # draw
_BETWEEN = "\n\n"
_FEWEST = 2


class Chosen(Said):
    """The number of the right choice as it was shown, from 1; 0: none is right, or it cannot be told."""

    choice: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Question:
    """A question with its choices.

    Attributes:
        passage: the row's documents, one after the other.
        question: what the user asks.
        choices: their texts; each stands there once.
        right: the one that the row calls right.
        turn: by how many places the second order is turned; never by none, so no choice keeps its place.
    """

    passage: str
    question: str
    choices: Sequence[str]
    right: str
    turn: int

    @property
    def text(self) -> str:
        """What is asked, else what was read."""
        return self.question or self.passage

    def orders(self) -> tuple[Sequence[int], Sequence[int]]:
        """Indices of the choices in the row's order and in the turned one."""
        order = range(len(self.choices))
        return order, [*order[self.turn :], *order[: self.turn]]


class ChosenAgain(SecondReader):
    """Rejects multiple-choice rows of which a second reader twice calls another choice right.

    A role of the recipe's `models` reads question and choices (and documents, if there are any), and says
    which choice is right, or that none is. All stand between marks that they cannot close; the row's own
    answer is not shown. It is asked twice. The second time the choices are turned by a drawn number of
    places, so that none stands where it stood: a reader who goes by the place contradicts itself.

    Reasons: `broken_target` (fewer than two choices, an empty one, a truth beyond them or that cannot be
    read, or the row asks nothing), `other_choice` (both readings agree on another choice than the row's);
    `undecided` goes to review: the two readings disagree, or one finds none right. Score: the share of the
    readings that say the row's choice. A row whose call fails fails with the class of the call;
    `unknown_choice` is a reply with a number that no choice has.

    Prompts: chosen_again.
    """

    name = "chosen_again"
    about = ("commonsense",)
    cost: ClassVar[str] = "two calls a row"
    limits: ClassVar[str] = (
        "A reader who errs twice alike rejects a right row: name a good model, not the one that wrote the "
        "rows. What models commonly know wrongly is not found. Choices that say the same are shown once. "
        "Rows whose truth is a label pass by."
    )
    source: ClassVar[str] = (
        "Zheng et al. 2024, Large language models are not robust multiple choice selectors"
    )
    prompts = {_PROMPT: ("passage", "question", "choices")}

    class Reason(StrEnum):
        """Why a row is rejected, or waits for review."""

        BROKEN_TARGET = "broken_target"
        OTHER_CHOICE = "other_choice"
        UNDECIDED = "undecided"

    def writes(self) -> dict[str, pl.DataType]:
        """The choice of either reading (null: none is right), and what is wrong (null: nothing is)."""
        return {"first": pl.String(), "second": pl.String(), "problems": pl.String()}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows whose truth is a choice."""
        return rows["target"].cast(pl.String).str.contains(r'"choice"\s*:').fill_null(value=False)

    def posed(self, rows: pl.DataFrame, context: Context) -> list[Question | str]:
        """The question of each row, or in words why there is none."""
        draws = context.uniform(rows["id"], _TURN).tolist()
        cells = rows.select("messages", "target").rows()
        return [
            _question(messages or [], target, draw)
            for (messages, target), draw in zip(cells, draws, strict=True)
        ]

    def asks(self, posed: Question, language: str, root: Path) -> list[Ask]:
        """The question with its choices in either order."""
        most = len(posed.choices)

        def listed(told: Chosen) -> Complaint | None:
            if told.choice <= most:
                return None
            return Complaint("unknown_choice", f"choice {told.choice} of {most}")

        values = {"passage": posed.passage, "question": posed.question}
        shown = [[posed.choices[choice] for choice in order] for order in posed.orders()]
        return [
            Ask(
                self.request(_PROMPT, language, root, {**values, "choices": choices}, Chosen),
                accept=accepts(Chosen, listed),
            )
            for choices in shown
        ]

    def line(self, posed: Question, replies: Sequence[Reply]) -> Line:
        """The row's line, by both readings."""
        numbers = [said(Chosen, reply).choice for reply in replies]
        first, second = (
            posed.choices[order[number - 1]] if number else None
            for order, number in zip(posed.orders(), numbers, strict=True)
        )
        score = [first, second].count(posed.right) / len(numbers)
        found = {"score": score, "first": first, "second": second}
        if first is None or first != second:
            told = f"asked twice, it is {_told(first)}, then {_told(second)}"
            return {**found, "verdict": str(Verdict.REVIEW), "reason": "undecided", "problems": told}
        if first == posed.right:
            return {**found, "verdict": str(Verdict.KEEP)}
        told = f"asked twice, it is {_told(first)}, not {_told(posed.right)}"
        return {**found, "verdict": str(Verdict.REJECT), "reason": "other_choice", "problems": told}


def _told(choice: str | None) -> str:
    """A choice, for people."""
    return "none of them" if choice is None else repr(choice[:80])


def _question(messages: Messages, target: str, draw: float) -> Question | str:
    truth = truth_in(target, Choice)
    if isinstance(truth, str):
        return truth
    pieces = pieces_of(messages, truth.template)
    given = [piece.text.strip() for piece in pieces if piece.name == CHOICE]
    choices = list(dict.fromkeys(given))
    if len(choices) < _FEWEST or "" in choices:
        return f"its choices are {given!r:.80}; two or more that differ are needed, and none empty"
    if truth.choice >= len(given):
        return f"its target is choice {truth.choice}, and there are {len(given)}, counted from 0"
    passage, question = (
        _BETWEEN.join(piece.text for piece in pieces if piece.role == role and piece.name != CHOICE)
        for role in ("document", "user")
    )
    if not (passage + question).strip():
        return "the row asks nothing"
    turn = 1 + int(draw * (len(choices) - 1))
    return Question(passage, question, choices, given[truth.choice], turn)
