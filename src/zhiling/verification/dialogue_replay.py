"""Dialogue replay: each state of a dialogue follows from the turns before it, and its policy is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context
from zhiling.rows.target import DialogueState
from zhiling.verification.check import Check, Problem, Row, holds, truth_in
from zhiling.verification.replay import Fault, Message, Policy, replay
from zhiling.verification.replies import pieces_of


class DialogueReplay(Check):
    """Rejects dialogues whose states do not follow from what was said and done, or that break a policy.

    Replayed are the target's `turns`: acts and states of each message (the source `labelled` tells them with
    `with_acts`). The last state must be the target's own.

    Reasons, the first that holds: `broken_target` (it cannot be read, or names messages that are not there),
    `unfounded_state` (a new value that nobody said and no act tells), `lost_state` (a slot is gone and its
    domain is not: what the user takes back has another value, such as `dontcare`), `ignored_act` (the user
    informs of a value that the state lacks), `unsaid_value` (an act's value is not said in its message;
    numbers by value, yes and no aside), `unanswered_request`, `broken_rule` (of the settings below). Score:
    how many problems there are.
    """

    name: ClassVar[str] = "dialogue_replay"
    about = ("dialogue",)
    cost: ClassVar[str] = "cheap: 0.2 to 1 ms a message; most where a value is not said in its own words"
    limits: ClassVar[str] = (
        "Knows what the target tells: a wish that neither act nor state holds is not missed. A value counts "
        "as said in its own words, not in others: name slots of which that is not so in `unspoken`. "
        "An answer is an act about the slot, true or not. Calls of tools are not carried out."
    )

    informs: tuple[str, ...] = Field(("inform",), description="acts of the user that set a slot")
    requests: tuple[str, ...] = Field(
        ("request",), description="acts of the user that the assistant's next turn answers"
    )
    refusals: tuple[str, ...] = Field(
        ("notify_failure", "nooffer", "nobook"),
        description="acts of the assistant that answer any request: it cannot be done",
    )
    said: bool = Field(default=True, description="whether values of acts must be said in their message")
    unspoken: tuple[str, ...] = Field(
        (), description="slots whose values are said in other words; `slot` or `domain-slot`"
    )
    never_before: dict[str, tuple[str, ...]] = Field(
        {}, description="act → acts that must not come before it, in a domain: {confirm: [book]}"
    )
    forbidden: tuple[str, ...] = Field((), description="acts that must not come at all")
    phrases: dict[str, tuple[str, ...]] = Field(
        {}, description="act → phrases, one of which its message must hold"
    )
    unsayable: tuple[str, ...] = Field((), description="words that the assistant must not say")

    Reason = Fault

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with turns."""
        return holds(rows["target"], "turns")

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        truth = truth_in(row["target"], DialogueState)
        if isinstance(truth, str):
            yield Problem(Fault.BROKEN_TARGET, truth)
            return
        pieces = pieces_of(row["messages"] or [], truth.template)
        messages = [Message(piece.role, piece.text) for piece in pieces]
        turns = truth.turns or []
        last = next((turn.state for turn in reversed(turns) if turn.state is not None), None)
        if last is not None and last != truth.state:
            yield Problem(
                Fault.BROKEN_TARGET, "the state after the last turn is another one than the target's"
            )
        for fault, told in replay(messages, turns, self.policy()):
            yield Problem(fault, told)

    def policy(self) -> Policy:
        """The settings as the rules of a replay."""
        return Policy(**{name: getattr(self, name) for name in Policy.__dataclass_fields__})
