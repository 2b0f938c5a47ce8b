"""Sequences: procedures of documents as instruction sequences, and questions about their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

import polars as pl
from pydantic import BaseModel, Field

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows import target
from zhiling.rows.templates import Turn
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.passage_rows import is_passage, passage_rows
from zhiling.synthesis.procedures import Procedure, asked, numbered, procedures

Kind = Literal["plan", "order", "continue", "before"]
KINDS: tuple[Kind, ...] = ("plan", "order", "continue", "before")

_WORDING, _PLACE, _MIX = 0, 1, 2  # draws


_Written = tuple[Sequence[Turn], BaseModel]
"""Messages and truth."""


class _Source(NamedTuple):
    """A procedure with the row that it comes from, and its draws."""

    id: str
    number: int
    text: str
    language: Language
    procedure: Procedure
    draws: Sequence[float]
    mixed: Sequence[int]


class Sequences(Make):
    """Writes the procedures of passages as instruction sequences: steps, and what each of them rests on.

    Procedures are numbered lists that a heading calls one or whose items ask for something, and running text
    with cues (first … then … finally; 先…再…最后). The target holds the steps and, for each, the inputs and
    expected results that its words name, and the steps that it comes after (where the text does not say: the
    one before it). Kinds: `plan` (the goal; the steps), `order` (the steps mixed up), `continue` (the first
    steps; the rest), `before` (task qa: the step right before another, a piece of the passage).

    The rows are labelled examples of tasks `sequence` and `qa`; `template` words them as conversations.
    """

    name = "sequences"
    about = ("sequence",)
    material = True
    cost: ClassVar[str] = "cheap: about 1 millisecond a passage, no model"
    limits: ClassVar[str] = (
        "Inputs and results are told by cues (using, until; 用, 直到) and marks (bold, code, quotes): a step "
        "may need more. Order is asked only where each step waits for the one before. A procedure in "
        "running text needs its cues close together; a list that is cut between two passages is left out."
    )

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1, description="which rows are written")
    least_steps: int = Field(default=3, ge=2, description="steps of a procedure at least")
    show_passage: bool = Field(
        default=False, description="whether a plan's prompt shows the passage, so that it is read, not known"
    )

    def reads(self) -> tuple[str, ...]:
        """The passages and where they stand."""
        return ("messages", "task", "language", "extra", "group")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Passages."""
        return is_passage(rows)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """A row of each kind for each procedure that allows it."""
        made = [
            self._made(source, kind, *written)
            for source in _sources(rows, context, self.least_steps)
            for kind in self.kinds
            if (written := _WRITERS[kind](source)) is not None
        ]
        return Made(frame(made))

    def _made(self, source: _Source, kind: Kind, turns: Sequence[Turn], truth: BaseModel) -> MadeRow:
        if kind == "plan" and self.show_passage:
            turns = [Turn("document", source.text, target.CONTEXT), *turns]
        sample = source.number * len(KINDS) + KINDS.index(kind)
        task = "qa" if kind == "before" else "sequence"
        return MadeRow(task, turns, truth, [source.id], sample, {"sequence_kind": kind})


def _sources(rows: pl.DataFrame, context: Context, least: int) -> Iterator[_Source]:
    for read in passage_rows(rows):
        for number, found in enumerate(procedures(read.passage, read.language, least)):
            key = f"{read.id}\0{number}"
            once = pl.Series([key], dtype=pl.String)
            draws = [float(context.uniform(once, draw)[0]) for draw in (_WORDING, _PLACE)]
            steps = pl.Series([f"{key}\0{step}" for step in range(len(found.steps))], dtype=pl.String)
            mixed = context.uniform(steps, _MIX).argsort().tolist()
            yield _Source(read.id, number, read.passage.text, read.language, found, draws, mixed)


def _plan(source: _Source) -> _Written:
    found = source.procedure
    truth = target.Steps(steps=list(found.steps), operations=list(found.operations))
    return [Turn("user", found.goal)], truth


def _order(source: _Source) -> _Written | None:
    """The steps mixed up; nothing where another order is right too, or two steps read the same."""
    found, mixed = source.procedure, list(source.mixed)
    if not found.linear or len(set(found.steps)) < len(found.steps):
        return None
    if mixed == sorted(mixed):
        mixed = [*mixed[1:], mixed[0]]
    shown = "\n".join(f"- {found.steps[number]}" for number in mixed)
    question = asked(source.language, "order", source.draws[_WORDING], goal=found.goal, steps=shown)
    truth = target.Steps(steps=list(found.steps), operations=list(found.operations))
    return [Turn("user", question)], truth


def _continue(source: _Source) -> _Written | None:
    """The steps that are left behind one that is drawn."""
    found = source.procedure
    if not found.linear:
        return None
    done = 1 + int(source.draws[_PLACE] * (len(found.steps) - 1))
    shown = "\n".join(numbered(found.steps[:done]))
    question = asked(source.language, "continue", source.draws[_WORDING], goal=found.goal, steps=shown)
    rest = [_shifted(each, done) for each in found.operations[done:]]
    truth = target.Steps(steps=list(found.steps[done:]), operations=rest)
    return [Turn("user", question)], truth


def _shifted(operation: target.Operation, done: int) -> target.Operation:
    """The operation in a sequence that begins after so many steps."""
    told = operation.model_dump(exclude_unset=True)
    told["after"] = [each - done for each in operation.after if each >= done]
    return target.Operation.model_validate({name: value for name, value in told.items() if value})


def _before(source: _Source) -> _Written | None:
    """The step before one that is drawn, as a piece of the passage."""
    found = source.procedure
    at = 1 + int(source.draws[_PLACE] * (len(found.steps) - 1))
    if not found.places or not found.linear or found.steps.count(found.steps[at]) > 1:
        return None
    values = {"goal": found.goal, "step": found.steps[at]}
    question = asked(source.language, "before", source.draws[_WORDING], **values)
    start, end = found.places[at - 1]
    answer = target.Answer(text=source.text[start:end], place=target.Place(message=0, start=start, end=end))
    turns = [Turn("document", source.text, target.CONTEXT), Turn("user", question, target.QUESTION)]
    return turns, target.Answers(answers=[answer])


_WRITERS: dict[Kind, Callable[[_Source], _Written | None]] = {
    "plan": _plan,
    "order": _order,
    "continue": _continue,
    "before": _before,
}
