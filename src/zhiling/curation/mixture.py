"""Mixture: how much of each source and task a training set holds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from zhiling.curation.mixing import Branch, Weighting, plan
from zhiling.pipeline.step import Context, Decide, Scope, verdicts

TREE = "mixture.txt"
PART = (pl.col("source").fill_null(""), pl.col("task").fill_null(""))
"""What tells the parts apart; rows without a task are a part too."""


class Reason(StrEnum):
    """Why a row is not kept."""

    NOT_DRAWN = "not_drawn"


class Mixture(Decide):
    """Draws `size` rows so that each source, and in it each task, has its share.

    A source's share follows its weight or, where no weights are given, its rows: (rows, at most `cap`)
    to the power of 1 / `temperature`; so do tasks within a source. A part gives each of its rows `epochs`
    times at most; what it cannot give is shared by the others in proportion. Which rows are drawn (once, or
    once more than the rest) is fixed by seed and id, not by their order.

    Column `times`: how often a row is to be trained on, 0 for a row that is not drawn. The plan with
    its counts, as a tree, stands in the run as `state/mixture.txt`.
    """

    name: ClassVar[str] = "mixture"
    scope: ClassVar[Scope] = "table"
    cost: ClassVar[str] = "one hash per row"
    limits: ClassVar[str] = (
        "A row stays one row of the run: with `epochs` above 1 its copies, all with its id, stand in the "
        "train part of exports and among the training examples; dev and test parts hold it once. A row that "
        "is rewritten behind the mixture is wanted once; `ablate` trains on each row once."
    )
    source: ClassVar[str] = "Raffel et al. 2020, T5 (proportional mixing with a limit and a temperature)"
    Reason: ClassVar[type[StrEnum]] = Reason

    size: int = Field(ge=0, description="How many rows to draw, repeats included.")
    weights: dict[str, float] = Field(
        {}, description="Weight of each source; `*`: of each that is not named. Empty: by rows."
    )
    tasks: dict[str, float] = Field(
        {}, description="Weight of each task within a source; `*`: of each not named. Empty: by rows."
    )
    temperature: float = Field(
        1.0, ge=1, le=1000, description="1: in proportion to the rows; higher: more even."
    )
    cap: int | None = Field(None, ge=1, description="Rows that a part counts as at most, where rows decide.")
    epochs: float = Field(1.0, gt=0, le=100, description="How often a part may be used, at most.")

    @field_validator("weights", "tasks")
    @classmethod
    def _weights(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if not (np.isfinite(weight) and weight >= 0):
                raise ValueError(f"weight of {name!r} is {weight!r}: only finite numbers from 0 are allowed")
        if weights and not any(weights.values()):
            raise ValueError(f"all weights are 0: {weights!r}; one must be above")
        return weights

    def reads(self) -> tuple[str, ...]:
        """Source and task."""
        return ("source", "task")

    def writes(self) -> dict[str, pl.DataType]:
        """How often each row is drawn."""
        return {"times": pl.UInt32()}

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Writes the plan as a tree, for people."""
        (folder / TREE).write_text(f"{self.plan(rows, context)}\n", encoding="utf-8")

    def plan(self, rows: pl.DataFrame, context: Context) -> Branch:
        """What is drawn of each source and task; `str` of it is the tree.

        Raises:
            UsageError: a weight for a source or task that has no row, or none for one that has rows.
        """
        parts: dict[str, dict[str, int]] = {}
        for source, task, count in rows.select(PART).group_by(PART).len().sort(PART).iter_rows():
            parts.setdefault(source, {})[task] = count
        by_rows = (self.temperature, self.cap)
        weighting = (Weighting(self.weights, *by_rows), Weighting(self.tasks, *by_rows))
        return plan(parts, self.size, weighting, self.epochs, f"step {context.step_id!r}")

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Reason `not_drawn`; score = the row's random number: of each part the smallest are drawn first."""
        drawn = {
            (source.name, task.name): task.drawn
            for source in self.plan(rows, context).parts
            for task in source.parts
        }
        draws = context.uniform(rows["id"])
        ordered = rows.select("id", *PART).with_columns(draw=draws).with_row_index("row").sort("draw", "id")
        places = ordered.with_columns(
            place=pl.int_range(pl.len()).over(PART), rows=pl.len().cast(pl.Int64).over(PART)
        ).sort("row")
        part = [drawn[key] for key in places.select("source", "task").iter_rows()]
        times = _times(pl.Series(part, dtype=pl.Int64), places["place"], places["rows"])
        return verdicts(times == 0, Reason.NOT_DRAWN, score=draws).with_columns(times.alias("times"))


def _times(drawn: pl.Series, place: pl.Series, rows: pl.Series) -> pl.Series:
    """How often the row at a place (from 0) of its part is drawn: evenly, the first once more."""
    return (drawn // rows + (place < drawn % rows).cast(pl.Int64)).cast(pl.UInt32)
