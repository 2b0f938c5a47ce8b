"""The real rows, dealt out once for all rounds: anchors to learn from, and rows that are held back."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from zhiling.adversarial.marks import mark
from zhiling.errors import UsageError
from zhiling.pipeline.step import uniform
from zhiling.rows.conversation import user_text
from zhiling.rows.target import LABEL

LEAST_LABELS = 2


@dataclass(frozen=True)
class Real:
    """Real labelled rows with `text` and `label`; no group stands in both parts.

    Attributes:
        anchors: what generators, discriminators and the student learn from.
        held: what none of them sees: the student is scored on these rows, and acceptance is probed by them.
    """

    anchors: pl.DataFrame
    held: pl.DataFrame


def labelled(rows: pl.DataFrame) -> pl.Series:
    """Which rows are texts with a label (task `classification`) that no template has written (bool)."""
    written = pl.col("target").str.contains('"template":', literal=True).fill_null(value=False)
    wanted = (pl.col("task") == "classification") & LABEL.is_not_null() & ~written
    return rows.select(wanted.fill_null(value=False)).to_series()


def with_text(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `text` and `label`."""
    return rows.with_columns(user_text(rows["messages"]).alias("text"), LABEL.alias("label"))


def real_rows(rows: pl.DataFrame, held_back: float, seed: int, place: str) -> Real:
    """Deals out the labelled rows of `rows` that were not proposed: whole groups, the same ones every round.

    Of each label at least one group stays an anchor.

    Args:
        rows: `id, messages, task, target, group, extra`.
        held_back: share of the rows of each label.
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
    deal = _dealt(pl.DataFrame({"owner": owners, "label": real["label"]}), held_back, seed)
    held = pl.DataFrame({"owner": owners}).join(deal, on="owner", how="left", maintain_order="left")["held"]
    return Real(real.filter(~held), real.filter(held))


def _dealt(rows: pl.DataFrame, held_back: float, seed: int) -> pl.DataFrame:
    """`owner` and `held`: of each label's owners, in a drawn order, the first are held back.

    A share that is no whole number of owners is rounded up or down by a draw, so over many labels it holds.
    """
    head = f"{seed}\0real\0"
    owners = rows.group_by("owner", maintain_order=True).agg(pl.col("label").first())
    owners = owners.with_columns(pl.Series("draw", uniform(owners["owner"], head))).sort("label", "draw")
    count = pl.len().over("label")
    labels = owners["label"].unique()
    rounding = pl.col("label").replace_strict(labels, uniform(labels, head), return_dtype=pl.Float64)
    last = pl.int_range(pl.len()).over("label") == count - 1
    held = (pl.int_range(pl.len()).over("label") < (held_back * count + rounding).floor()) & ~last
    return owners.select("owner", held.alias("held"))
