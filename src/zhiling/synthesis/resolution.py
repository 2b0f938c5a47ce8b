"""Resolution: whether a support conversation solved what it was about."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import has_reply
from zhiling.rows.schema import MATERIAL_TASKS
from zhiling.synthesis.exchanges import READS, conversations
from zhiling.synthesis.outcomes import LogFields, Outcome, outcomes


class Resolution(LogFields, Measure):
    """Writes how probable it is that each reply of a support log solved the customer's question.

    `score` is the probability, .5 where nothing tells; `status` is `resolved`, `unresolved` or `unclear`;
    `signs` name what told it: `noted` (a field of the log), `rated`, `confirmed` (thanks), `went_on`,
    `complained`, `later_complaint`, `fails` (the agent says that nothing can be done). What the customer said
    last, unanswered, counts for the reply before it.
    """

    name: ClassVar[str] = "resolution"
    scope = "table"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "cheap: about 50 microseconds a row; no encoder"
    limits: ClassVar[str] = (
        "Cue words and fields, in English and Chinese: irony and news from elsewhere are not understood. "
        "Without any field of the log, on the half of examples/support on which the cues were not chosen, "
        ".58 of the unresolved conversations are found, and .67 of those that are called so are."
    )

    def reads(self) -> tuple[str, ...]:
        """The turns, where they stand, and what the log notes."""
        return (*READS, "task")

    def writes(self) -> dict[str, pl.DataType]:
        """Probability, the word for it, and what told it; null for rows that hold no reply."""
        return {"score": pl.Float64(), "status": pl.String(), "signs": pl.List(pl.String())}

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The outcome of each row's last exchange."""
        found: list[Outcome | None] = [None] * rows.height
        for conversation in conversations(rows):
            for exchange, outcome in zip(conversation.exchanges, outcomes(conversation, self), strict=True):
                found[exchange.row] = outcome
        answers = has_reply(rows["messages"]) & ~rows["task"].is_in(list(MATERIAL_TASKS)).fill_null(False)
        told = [outcome if outcome and answers[row] else None for row, outcome in enumerate(found)]
        return pl.DataFrame(
            {
                "score": [outcome and outcome.score for outcome in told],
                "status": [outcome and outcome.status for outcome in told],
                "signs": [outcome and list(outcome.signs) for outcome in told],
            },
            schema=self.writes(),
        )
