"""Sequence order: steps can be carried out as they stand, and a reply tells them all in that order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, cast

import orjson
import polars as pl

from zhiling.pipeline.step import Context
from zhiling.rows.target import Steps
from zhiling.verification import sequences
from zhiling.verification.check import Check, Problem, Row, holds, truth_in
from zhiling.verification.quotes import plain
from zhiling.verification.replies import Messages


class SequenceOrder(Check):
    """Rejects rows whose steps cannot be carried out in their order, or whose reply tells other ones.

    With `operations` in the target: every input is given or made by an earlier step, every expected result
    is made, and a step stands behind those that it follows. Names are compared in NFKC, without case and
    white space. Of a reply (an own one or a template's) every step is looked for by its words.

    Reasons, the first that holds: `broken_target` (it holds no steps that can be read, or not one operation
    a step), `cycle` (steps wait for each other), `wrong_order` (a step stands before one that it follows, or
    the reply tells it there), `missing_input`, `missing_result`, `missing_step` (the reply does not tell it),
    `repeated`, `wrong_number` (a step speaks of one that is not there, or the reply's numbers jump). Score:
    how many problems there are.
    """

    name: ClassVar[str] = "sequence_order"
    about = ("sequence",)
    cost: ClassVar[str] = "cheap: about 50 microseconds a row"
    limits: ClassVar[str] = (
        "Knows what the target tells: without operations two steps can stand in the wrong order unseen, and "
        "whether a step really gives what it says is not known. A step that a reply tells in other words is "
        "missing. An input that no step gives is taken for given where the target does not say what is. "
        "Nothing is carried out."
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        BROKEN_TARGET = "broken_target"
        CYCLE = "cycle"
        WRONG_ORDER = "wrong_order"
        MISSING_INPUT = "missing_input"
        MISSING_RESULT = "missing_result"
        MISSING_STEP = "missing_step"
        REPEATED = "repeated"
        WRONG_NUMBER = "wrong_number"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with steps."""
        return holds(rows["target"], "steps")

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        truth = truth_in(row["target"], Steps)
        if isinstance(truth, str):
            yield Problem(self.Reason.BROKEN_TARGET, truth)
            return
        yield from self._of_shape(truth)
        yield from self.between(truth)
        messages: Messages = row["messages"] or []
        replies = [turn["text"] or "" for turn in messages if turn["role"] == "assistant"]
        if replies:
            yield from self.of_reply(truth, _decoded(replies[-1]))

    def between(self, truth: Steps) -> Iterator[Problem]:
        """What is wrong with steps and their operations."""
        waiting = sequences.circle(truth)
        if waiting is not None:
            told = " → ".join(map(str, waiting))
            yield Problem(self.Reason.CYCLE, f"steps wait for each other: {told}")
        for reason, found in (
            (self.Reason.WRONG_ORDER, sequences.out_of_order(truth)),
            (self.Reason.MISSING_INPUT, sequences.not_at_hand(truth)),
            (self.Reason.MISSING_RESULT, sequences.not_made(truth)),
            (self.Reason.WRONG_NUMBER, sequences.misnumbered(truth.steps)),
        ):
            yield from (Problem(reason, told) for told in found)

    def of_reply(self, truth: Steps, reply: str) -> Iterator[Problem]:
        """What is wrong with how a reply tells the steps."""
        for missing, told in sequences.untold(truth.steps, reply):
            yield Problem(self.Reason.MISSING_STEP if missing else self.Reason.WRONG_ORDER, told)
        for told in sequences.jumping_numbers(reply):
            yield Problem(self.Reason.WRONG_NUMBER, told)

    def _of_shape(self, truth: Steps) -> Iterator[Problem]:
        if truth.operations is not None and len(truth.operations) != len(truth.steps):
            told = f"{len(truth.steps)} steps have {len(truth.operations)} operations"
            yield Problem(self.Reason.BROKEN_TARGET, told)
        for number, step in enumerate(truth.steps, 1):
            if not step.strip():
                yield Problem(self.Reason.BROKEN_TARGET, f"step {number} is empty")
        for step, count in Counter(map(plain, truth.steps)).items():
            if count > 1:
                yield Problem(self.Reason.REPEATED, f"told {count} times: {step:.60}")


def _decoded(reply: str) -> str:
    """The steps of a reply that is a JSON list, a line each; any other reply as it stands."""
    try:
        value: Any = orjson.loads(reply)
    except orjson.JSONDecodeError:
        return reply
    return "\n".join(map(str, cast(list[Any], value))) if isinstance(value, list) else reply
