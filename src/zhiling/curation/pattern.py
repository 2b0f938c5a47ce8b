"""Rejects, flags or keeps rows whose text matches a regular expression."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import polars as pl
from polars.exceptions import ComputeError
from pydantic import BaseModel, ConfigDict, Field, field_validator

from zhiling.curation.parts import Part, part_text
from zhiling.pipeline.step import Context, Decide, Verdict, verdicts


class Rule(BaseModel):
    """One regular expression and what a match is called.

    Syntax: Rust's `regex` (as Polars uses it); `(?i)` ignores case. Matching takes time linear in the text,
    so no expression can hang a run; look-around and back-references do not exist in it and are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: str = Field(min_length=1, description="the regular expression, searched anywhere in the text")
    reason: str = Field(
        default="", description="what a match is called in the column `rule`; empty: the pattern"
    )

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            matches_nothing = pl.Series([""]).str.contains(pattern, strict=True)[0]
        except ComputeError as error:
            raise ValueError(f"{pattern!r} is no valid expression: {_cause(pattern, str(error))}") from error
        if matches_nothing:
            raise ValueError(
                f"{pattern!r} matches the empty text, so every row; anchor it or use + in place of *"
            )
        return pattern


class Pattern(Decide):
    """Finds rows by regular expressions: rejects or flags those that match, or keeps only those.

    Reasons: `matched`; with `action: keep_only` `not_matched`. Column `rule`: the first rule that matched
    (null: none). Score: how many rules matched.
    """

    name = "pattern"
    cost: ClassVar[str] = "cheap: one linear search a rule"
    limits: ClassVar[str] = (
        "Sees characters, not meaning. A rule about words in one language says nothing in another."
    )
    source: ClassVar[str] = "https://docs.rs/regex"

    patterns: tuple[Rule, ...] = Field(
        min_length=1, description="list of {pattern, reason}; any of them may match"
    )
    on: Part = Field(default="all", description="which text is searched: all, user, question or reply")
    action: Literal["reject", "flag", "keep_only"] = Field(
        default="reject", description="what a match means; keep_only rejects all rows without one"
    )

    class Reason(StrEnum):
        """Why a row is rejected or flagged."""

        MATCHED = "matched"
        NOT_MATCHED = "not_matched"

    def writes(self) -> dict[str, pl.DataType]:
        """The rule that matched first."""
        return {"rule": pl.String()}

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by match."""
        text = pl.DataFrame({"text": part_text(rows["messages"], self.on)})
        hits = text.select(
            pl.col("text").str.contains(rule.pattern).alias(str(number))
            for number, rule in enumerate(self.patterns)
        )
        first = pl.coalesce(
            pl.when(pl.col(str(number))).then(pl.lit(rule.reason or rule.pattern))
            for number, rule in enumerate(self.patterns)
        )
        found = hits.select(rule=first, score=pl.sum_horizontal(pl.all().cast(pl.Float64)))
        matched = found["rule"].is_not_null()
        if self.action == "keep_only":
            answer = verdicts(~matched, self.Reason.NOT_MATCHED, score=found["score"])
        else:
            verdict = Verdict.FLAG if self.action == "flag" else Verdict.REJECT
            answer = verdicts(matched, self.Reason.MATCHED, score=found["score"], verdict=verdict)
        return answer.with_columns(found["rule"])


def _cause(pattern: str, message: str) -> str:
    """The engine's own words, or what to do about the two things that other engines allow."""
    if "look-around" in message or any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!")):
        return "look-around is not supported; write what must be there, and a second rule for the rest"
    if "backreference" in message:
        return "back-references are not supported; write the alternatives out"
    if "size limit" in message:
        return "it is too large when written out; lower its repetition counts"
    return message.strip().splitlines()[-1]
