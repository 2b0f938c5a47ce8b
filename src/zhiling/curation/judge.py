"""A model's judgement of replies by a rubric, from 1 to 5, with its reason, and where it does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.llm.asking import Asks, Said, accepts, said
from zhiling.llm.conversation import asked
from zhiling.llm.failures import CallFailure
from zhiling.llm.verdict import Ask, Complaint, Outcome
from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import reply_text

_PROMPTS = Path(__file__).parent / "prompts"
_APART = 1.0
"""Votes that are further apart than this do not agree: neighbours on the scale do."""


class Judgement(Said):
    """Why, how good, and whether it can be told at all."""

    reason: str
    score: Annotated[int, Field(ge=1, le=5)]
    sure: bool


class Judge(Asks, Measure):
    """Writes how good a model finds a row's last reply, given all that stands before it: 1 to 5.

    `score` is the mean of the votes, `spread` how far they lie apart, `reason` that of the vote nearest to
    the mean. `status` is `judged`, or `unsure` where votes lie more than 1 apart or one of them says that it
    cannot be told: `threshold` with `equals: judged` and `verdict: review` makes a list for people of those.
    What is judged stands between marks that it cannot close.

    `zhiling calibrate` turns a file of judged rows into a threshold on `score` with a bound that holds on
    unseen rows, and tells how often the judge agrees with people, also among replies of like length.

    A row fails with the class of the call that failed; `empty_field` is a judgement without a reason.

    Prompts: judge.
    """

    name = "judge"
    quality: ClassVar[Literal["", "question", "reply"]] = "reply"
    cost: ClassVar[str] = "one call a row; several votes of one row share a call where the server has `n`"
    limits: ClassVar[str] = (
        "Models like long replies and those of their own family: name another model than the teacher, and "
        "read the agreement at like length before a threshold is believed. Each reply is judged alone, so "
        "there is no order of two that could matter. Facts are judged by what the model knows. Media and "
        "tool calls are not read."
    )
    source: ClassVar[str] = (
        "Zheng et al. 2023, Judging LLM-as-a-judge; Liu et al. 2023, G-Eval; Chow 1970 (abstention)"
    )
    prompt_folder = _PROMPTS
    prompts = {"judge": ("conversation", "reply", "rubric")}

    model: str = Field("judge", min_length=1, description="role of the recipe's `models` that judges")
    rubric: str = Field(
        "", description="what makes a reply good, in your words; empty: right, complete, to the point, clear"
    )
    votes: int = Field(1, ge=1, le=16, description="judgements a row; more than one needs a temperature")
    max_tokens: int = Field(512, ge=1, description="longest judgement; one that is longer is a failure")

    def reads(self) -> tuple[str, ...]:
        """The conversation and its language."""
        return ("messages", "language")

    def writes(self) -> dict[str, pl.DataType]:
        """Mean, how far the votes are apart, what that means, and why."""
        return {"score": pl.Float64(), "spread": pl.Float64(), "status": pl.String(), "reason": pl.String()}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply that says something."""
        return reply_text(rows["messages"]).str.strip_chars() != ""

    def first_asks(self, rows: pl.DataFrame, context: Context) -> list[Ask]:
        """All votes of each row."""
        replies = reply_text(rows["messages"])
        languages = self.languages_of(rows, replies, context)
        accept = accepts(Judgement, _reasoned)
        made: list[Ask] = []
        for messages, language in zip(rows["messages"].to_list(), languages, strict=True):
            talk = asked(messages)
            before = "\n\n".join(f"[{turn.role}]\n{turn.text}" for turn in talk.before)
            values = {"conversation": before, "reply": talk.reply, "rubric": self.rubric}
            request = self.request("judge", language, context.root, values, Judgement)
            made += [Ask(request, vote, accept=accept) for vote in range(self.votes)]
        return made

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The columns of `writes()`, and the class of each row that failed."""
        asks = self.first_asks(rows, context)
        outcomes = context.models.ask(self.model, asks) if asks else []
        lines = list(self._lines(outcomes))
        return pl.DataFrame(lines, schema={**self.writes(), "failure": pl.String()}, orient="row")

    def _lines(self, outcomes: Sequence[Outcome]) -> Iterator[tuple[object, ...]]:
        for start in range(0, len(outcomes), self.votes):
            votes = outcomes[start : start + self.votes]
            failed = next((vote for vote in votes if isinstance(vote, CallFailure)), None)
            if failed is not None:
                yield None, None, None, None, failed.reason or failed.cls.value
            else:
                told = [said(Judgement, vote) for vote in votes if not isinstance(vote, CallFailure)]
                yield *_summed(told), None


def _reasoned(told: Judgement) -> Complaint | None:
    return None if told.reason else Complaint("empty_field", "a judgement without a reason")


def _summed(told: Sequence[Judgement]) -> tuple[float, float, str, str]:
    """Mean, spread, status and the reason of the vote nearest to the mean (the first of several)."""
    scores = [each.score for each in told]
    mean, spread = sum(scores) / len(scores), float(max(scores) - min(scores))
    sure = spread <= _APART and all(each.sure for each in told)
    nearest = min(told, key=lambda each: abs(each.score - mean))
    return mean, spread, "judged" if sure else "unsure", nearest.reason
