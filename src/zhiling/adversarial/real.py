"""The real rows, dealt out once for all rounds: anchors to learn from, dev rows to score on, probes."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from zhiling.adversarial.marks import mark
from zhiling.errors import UsageError
from zhiling.pipeline.step import uniform
from zhiling.rows.conversation import user_text
from zhiling.rows.target import LABEL

LEAST_LABELS = 2


class Shares(BaseModel):
    """Which share of the real rows of each label is held back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dev: float = Field(
        default=0.2, gt=0, lt=1, description="share of real rows that the student is scored on"
    )
    hidden: float = Field(
        default=0.1, ge=0, lt=1, description="share of real rows that are sent through as probes"
    )


@dataclass(frozen=True)
class Real:
    """Real labelled rows with `text` and `label`; no group stands in two parts."""

    anchors: pl.DataFrame
    dev: pl.DataFrame
    hidden: pl.DataFrame


def labelled(rows: pl.DataFrame) -> pl.Series:
    """Which rows are texts with a label (task `classification`) that no template has written (bool)."""
    written = pl.col("target").str.contains('"template":', literal=True).fill_null(value=False)
    wanted = (pl.col("task") == "classification") & LABEL.is_not_null() & ~written
    return rows.select(wanted.fill_null(value=False)).to_series()


def with_text(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `text` and `label`."""
    return rows.with_columns(user_text(rows["messages"]).alias("text"), LABEL.alias("label"))


def real_rows(rows: pl.DataFrame, shares: Shares, seed: int, place: str) -> Real:
    """Deals out the labelled rows of `rows` that were not proposed: whole groups, the same ones every round.

    Of each label at least one group stays an anchor.

    Args:
        rows: `id, messages, task, target, group, extra`.
        shares: how much is held back.
        seed: of the deal.
        place: who asks, for errors.

    Raises:
        UsageError: there are no real rows of two labels to hold generations against.
    """
    real = with_text(rows.filter(labelled(rows))).filter(mark("generator").is_null()).sort("id")
    labels = real["label"].n_unique()
    if labels < LEAST_LABELS:
        raise UsageError(
            f"step {place!r} has {real.height} real labelled rows of {labels} labels to hold generations "
            "against; real rows of two labels are needed",
            hint="add a source with labelled rows: without real ones nothing tells good rows from bad ones",
        )
    owners = real["group"].fill_null(real["id"])
    deal = _dealt(pl.DataFrame({"owner": owners, "label": real["label"]}), shares, seed)
    parts = pl.DataFrame({"owner": owners}).join(deal, on="owner", how="left", maintain_order="left")["part"]
    return Real(*(real.filter(parts == name) for name in ("anchor", "dev", "hidden")))


def _dealt(rows: pl.DataFrame, shares: Shares, seed: int) -> pl.DataFrame:
    """`owner` and `part`: of each label's owners, in a drawn order, the first are dev, the next hidden.

    A share that is no whole number of owners is rounded up or down by a draw, so over many labels it holds.
    """
    head = f"{seed}\0real\0"
    owners = rows.group_by("owner", maintain_order=True).agg(pl.col("label").first())
    owners = owners.with_columns(pl.Series("draw", uniform(owners["owner"], head))).sort("label", "draw")
    count = pl.len().over("label")
    labels = owners["label"].unique()
    rounding = pl.col("label").replace_strict(labels, uniform(labels, head), return_dtype=pl.Float64)
    rank = pl.int_range(pl.len()).over("label")
    dev = (shares.dev * count + rounding).floor()
    hidden = (shares.hidden * count + 1 - rounding).floor()
    last = rank == count - 1
    part = pl.when(last).then(pl.lit("anchor")).when(rank < dev).then(pl.lit("dev"))
    part = part.when(rank < dev + hidden).then(pl.lit("hidden")).otherwise(pl.lit("anchor"))
    return owners.select("owner", part.alias("part"))
