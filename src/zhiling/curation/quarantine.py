"""Takes rows that give orders to a model out of the run."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Bound, Context, Decide, Verdict, verdicts


class Reason(StrEnum):
    """Why a row is taken out."""

    QUARANTINE = "quarantine"


class Quarantine(Decide):
    """Rejects rows whose score of the step `injection` is too high, with the reason `quarantine`.

    Quarantined rows stand in the ledger with their score, are never exported, and can be read again with
    `zhiling why ROW`. Score: that of `injection`.
    """

    name: ClassVar[str] = "quarantine"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "nothing to speak of"
    limits: ClassVar[str] = "As good as the step `injection` whose column it reads; see its card for figures."
    Reason: ClassVar[type[StrEnum]] = Reason
    bounds: ClassVar[tuple[Bound, ...]] = (
        Bound("at_most", acts="above", loosest=0.0, reason=Reason.QUARANTINE),
    )

    column: str = Field(default="injection.score", description="the score, 0 to 1")
    at_most: float = Field(default=0.5, ge=0, le=1, description="a row above this is quarantined")
    verdict: Literal["reject", "flag", "review"] = Field(
        default="reject", description="what happens to a row above it"
    )

    def reads(self) -> tuple[str, ...]:
        """The score."""
        return (self.column,)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by score."""
        score = rows[self.column]
        return verdicts(score > self.at_most, Reason.QUARANTINE, score=score, verdict=Verdict(self.verdict))
