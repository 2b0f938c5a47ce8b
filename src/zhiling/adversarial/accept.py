"""Accept: which of a round's proposals join the data, by discriminators that learn anew every round."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import polars as pl

from zhiling.adversarial.acceptance import Acceptance
from zhiling.adversarial.guards.rounds import Round
from zhiling.adversarial.guards.rules import OUTSIDE, alarms, best_round
from zhiling.adversarial.marks import mark
from zhiling.adversarial.real import labelled
from zhiling.adversarial.trial import ROUND, VERDICTS, Reason, Trial
from zhiling.encoders.transformer import TransformerEncoder
from zhiling.errors import UsageError
from zhiling.pipeline.step import Context, Decide, verdicts


class Accept(Acceptance, Decide):
    """Accepts proposals whose label fits and whose text passes for a real one; ends the rounds.

    `match` is the probability that the row's label fits its text, for a label that is as often wrong as
    right: by classifiers of the real rows and of what was accepted before. What it must be at least follows
    from the share of wrong labels that may pass. `real` is the probability that the text is a real one and
    not of this round's generations, if both were as frequent; a row is accepted as often as its odds say
    (rejection sampling), at 1 : 1 always; a real line is real, and passes. `apart` is how far the two views
    of the ensemble are apart.

    Where a generator tells in `extra.confidence` how probably its label is right, the odds of both are
    multiplied, and the row passes `match` where `right`, what comes of it, is `sure` enough: what the
    generator holds for probable needs less evidence. Without it `right` is `match`.

    Then the student learns from the real rows and all accepted ones, and is scored on the real rows that
    were held back for it. The guards tell whether that helped, whether the rows collapse, and how often
    acceptance errs on rows whose answer is known; see `zhiling.adversarial.guards`. As `until: {stop: ...}`
    of a `repeat` it ends the rounds and returns the best one.
    """

    name = "accept"
    about = ("classification",)
    scope = "table"
    material = True
    Reason: ClassVar[type[StrEnum]] = Reason
    cost: ClassVar[str] = "an encoding a row, then some dozens of least-squares fits a round"
    limits: ClassVar[str] = (
        "Rows of task `classification` with one label, inside a `repeat` behind `propose`. A discriminator "
        "adds no information: what it can't tell by the anchors it accepts or rejects by chance."
    )
    source: ClassVar[str] = (
        "Goodfellow et al. 2014 (adversarial training); Azadi et al. 2019 (discriminator rejection sampling)"
    )

    def reads(self) -> tuple[str, ...]:
        """Texts, labels and marks."""
        return ("messages", "task", "target", "group", "extra")

    def writes(self) -> dict[str, pl.DataType]:
        """The scores of a row, and the figures of its round."""
        return {
            "match": pl.Float64(),
            "right": pl.Float64(),
            "real": pl.Float64(),
            "apart": pl.Float64(),
            "round": pl.String(),
        }

    def outside(self, root: Path, run: str) -> str:
        """The content of the transformer's files."""
        return "" if self.transformer is None else TransformerEncoder(path=self.transformer.path).identity

    def uses_encoder(self) -> bool:
        """One of the two views."""
        return True

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Proposed rows."""
        return labelled(rows) & rows.select(mark("generator").is_not_null()).to_series()

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Holds the trial over the round's rows and writes what came of it."""
        if context.reference is None:
            raise UsageError(
                f"step {context.step_id!r} holds rows against real ones, and sees none",
                hint="put it into a `repeat`, behind `propose`",
            )
        Trial(rows.filter(self.applies(rows)), context.reference, context, self).write(folder)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """What the trial found."""
        found = pl.read_parquet(context.fitted / VERDICTS)
        told = rows.select("id").join(found, on="id", how="left", maintain_order="left")
        judged = verdicts(told["reason"].is_not_null(), told["reason"], score=told["right"])
        return judged.with_columns(told.select("match", "right", "real", "apart", "round"))

    def best_round(self, rows: pl.DataFrame, states: Sequence[Path], *, ended: bool) -> int | None:
        """The best round, once a guard says stop or no round follows."""
        rounds = [Round.from_json((each / ROUND).read_text("utf-8")) for each in states]
        stops = {alarm.guard for alarm in alarms(rounds, self.guards) if alarm.follows == "stop"}
        if not stops and not ended:
            return None
        return best_round(rounds, self.guards, equal=stops <= OUTSIDE)


__all__ = ["Accept", "Reason"]
