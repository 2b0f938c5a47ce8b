"""Demands on a reply that code can check: lengths, words, beginnings, JSON, languages, capitals and more.

    check("You can pay by card.", Constraint(kind="length", values=["words"], at_most=5))  # None: kept
    check("可以刷卡支付。", Constraint(kind="include", values=["发票"]))  # "does not hold '发票'"

Words are compared in NFKC and without case; a Chinese word may stand anywhere, an English one stands alone.
Lengths are counted by `counting`: 字 and words by one rule.

Source: the idea of verifiable instructions is Zhou et al. 2023, Instruction-Following Evaluation for Large
Language Models. Kinds, definitions and words are this project's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.errors import did_you_mean
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import has_reply
from zhiling.rows.target import Constraint
from zhiling.rows.target import Constraints as Target
from zhiling.rows.templates import Unparsed
from zhiling.verification.check import Check, Problem, Row, holds, truth_in
from zhiling.verification.constraint_kinds import KINDS, Kind, Uncheckable
from zhiling.verification.replies import library, reply_of

__all__ = ["KINDS", "Constraints", "Kind", "Uncheckable", "check"]


def check(text: str, constraint: Constraint) -> str | None:
    """What is wrong with a text by this constraint, in English; None where it keeps to it.

    Raises:
        Uncheckable: the kind is unknown, or the constraint lacks values or bounds.
    """
    kind = KINDS.get(constraint.kind)
    if kind is None:
        raise Uncheckable(
            f"a constraint is of kind {constraint.kind!r}, which code cannot check",
            hint=did_you_mean(constraint.kind, list(KINDS)),
        )
    _refuse_incomplete(constraint, kind)
    return kind.check(text, constraint)


def _refuse_incomplete(constraint: Constraint, kind: Kind) -> None:
    given, most = len(constraint.values), kind.most_values
    if given < kind.least_values or (most is not None and given > most):
        allowed = f"{kind.least_values}" if most == kind.least_values else f"{kind.least_values} or more"
        raise Uncheckable(
            f"{constraint.kind!r} has {given} values {constraint.values!r:.50}: allowed: {allowed}",
            hint=f"its values are: {kind.values}",
        )
    if not all(value.strip() for value in constraint.values):
        raise Uncheckable(f"a constraint {constraint.kind!r} has an empty value: {constraint.values!r:.80}")
    low, high = constraint.at_least, constraint.at_most
    if kind.bounded == (low is None and high is None):
        needed = "needs at_least or at_most" if kind.bounded else "takes no bounds"
        raise Uncheckable(f"a constraint {constraint.kind!r} {needed}, got {low!r} and {high!r}")
    if low is not None and high is not None and low > high:
        raise Uncheckable(f"a constraint {constraint.kind!r} asks for at least {low} and at most {high}")


class Constraints(Check):
    """Rejects rows whose reply breaks a constraint of their target (task `controlled`), checked by code.

    Lengths, words, frequencies, beginning and end, JSON and its schema, language, capitals, commas and title
    are checked. Of a templated row the reply is what its template has framed.

    Reasons, the first that holds: `broken_target` (it holds no constraints that can be read),
    `unreadable_reply` (its template cannot be read back), `broken_constraint`; `uncheckable` (a kind that
    code cannot check, or one without its bounds): such a row waits for review unless another constraint is
    broken. Score: how many problems there are; the column `problems` tells each.
    """

    name: ClassVar[str] = "constraints"
    about = ("controlled",)
    cost: ClassVar[str] = "cheap: about 0.1 ms a row; a language in Latin letters 0.3 ms more"
    limits: ClassVar[str] = (
        "Counts and compares, does not understand: `include` is met by the word in any sense, and by regular "
        "English forms only (go is not met by went). A sentence ends by rule, so one that ends in an "
        "abbreviation is not seen. Languages of one script are told apart from forty letters on; "
        "traditional and simplified Chinese are one language. Style, role and topic cannot be checked."
    )
    source: ClassVar[str] = "Zhou et al. 2023 (the idea of verifiable instructions)"
    UNDECIDED: ClassVar[frozenset[str]] = frozenset({"uncheckable"})

    own_wordings: tuple[str, ...] = Field(
        (), description="files with the wordings of your own that rows were templated by"
    )

    class Reason(StrEnum):
        """Why a row is rejected or reviewed."""

        BROKEN_TARGET = "broken_target"
        UNREADABLE_REPLY = "unreadable_reply"
        BROKEN_CONSTRAINT = "broken_constraint"
        UNCHECKABLE = "uncheckable"

    def files(self) -> tuple[str, ...]:
        """Own wordings."""
        return self.own_wordings

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with constraints and a reply."""
        return holds(rows["target"], "constraints") & has_reply(rows["messages"])

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        truth = truth_in(row["target"], Target)
        if isinstance(truth, str):
            yield Problem(self.Reason.BROKEN_TARGET, truth)
            return
        reply = reply_of(row["messages"], truth.template, library(context.root, self.own_wordings))
        if isinstance(reply, Unparsed):
            yield Problem(self.Reason.UNREADABLE_REPLY, f"{reply.reason}: {reply.detail}")
            return
        for constraint in truth.constraints:
            try:
                told = check(reply or "", constraint)
            except Uncheckable as error:
                yield Problem(self.Reason.UNCHECKABLE, str(error))
            else:
                if told is not None:
                    yield Problem(self.Reason.BROKEN_CONSTRAINT, f"{constraint.kind}: {told}")
