"""Steps that a comparison puts before a recipe's own: test rows leave, and labels are hidden."""

from __future__ import annotations

import glob
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Decide, Made, Make, verdicts

TEST, LIKE_TEST, HIDDEN = "test_row", "like_test_row", "hidden"
"""Parts of a file of held rows."""


class Reason(StrEnum):
    """Why a row is held out."""

    TEST = TEST
    LIKE_TEST = LIKE_TEST


def write_held(file: Path, parts: dict[str, list[str]]) -> None:
    """Writes which rows are in which part.

    Args:
        file: Parquet, columns `id` and `part`.
        parts: part → ids.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    pairs = [(row, part) for part, ids in parts.items() for row in sorted(ids)]
    pl.DataFrame(pairs, schema={"id": pl.String, "part": pl.String}, orient="row").write_parquet(file)


def _held(rows: pl.DataFrame, file: str, context: Context) -> pl.Series:
    """The part of each row; null where it is in none."""
    held = pl.read_parquet(context.root / file, glob=False)
    return rows.select("id").join(held, on="id", how="left", maintain_order="left")["part"]


class HoldOut(Decide):
    """Rejects the rows that a comparison tests on, and those whose text equals one of them."""

    name = "hold_out"
    material = True
    Reason: ClassVar[type[StrEnum]] = Reason

    file: str = Field(description="which rows, see `write_held`; relative to the recipe")

    def files(self) -> tuple[str, ...]:
        """The file."""
        return (glob.escape(self.file),)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """What the file says."""
        part = _held(rows, self.file, context)
        gone = part.is_in([TEST, LIKE_TEST]).fill_null(value=False)
        return verdicts(gone, part)


class HideLabels(Make):
    """Makes lines without a label of labelled rows, so that few labels are known, as in a real log."""

    name = "hide_labels"
    effect = "replaces"

    file: str = Field(description="which rows, see `write_held`; relative to the recipe")

    def files(self) -> tuple[str, ...]:
        """The file."""
        return (glob.escape(self.file),)

    def reads(self) -> tuple[str, ...]:
        """What stays of a row."""
        return ("messages", "language", "group")

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """An utterance for each row whose label is hidden."""
        hidden = rows.filter((_held(rows, self.file, context) == HIDDEN).fill_null(value=False))
        return Made(
            hidden.select(
                "messages", "language", "group",
                pl.lit("utterance").alias("task"), pl.lit(None, dtype=pl.String).alias("target"),
                pl.concat_list("id").alias("parents"),
            )
        )  # fmt: skip


__all__ = ["HIDDEN", "LIKE_TEST", "TEST", "HideLabels", "HoldOut", "Reason", "write_held"]
