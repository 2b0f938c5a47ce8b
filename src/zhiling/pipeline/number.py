"""New rows get their number, content hash and id: the one place where rows enter a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from zhiling.rows.schema import ORIGIN, ROW, conform, content_hashes, row_ids

if TYPE_CHECKING:
    from zhiling.pipeline.plan import SourceLine, StepLine
    from zhiling.pipeline.store import Stage
    from zhiling.pipeline.table import RowTable

_CARRIED = ("messages", "alternatives", "task", "target", "language", "tools", "extra")


def number_source(line: SourceLine, frame: pl.DataFrame, first: int, copies: Counter[str]) -> pl.DataFrame:
    """A source's rows as records.

    The key of a row is the source's own; else the copy number of that content in the source, so equal
    lines keep distinct ids, and a line put on top changes no other row's.

    Args:
        line: the source.
        frame: rows as `Source.read` gives them.
        first: the number of the first row.
        copies: content → how often the source gave it before; updated.
    """
    rows = conform(frame.select(name for name in _CARRIED if name in frame.columns))
    contents = content_hashes(rows)
    own = (
        frame["key"].cast(pl.String)
        if "key" in frame.columns
        else pl.Series([None] * frame.height, dtype=pl.String)
    )
    keys = _keys(own, contents, copies)
    height = frame.height

    def given(name: str) -> pl.Series:
        return (
            frame[name].cast(pl.String)
            if name in frame.columns
            else pl.Series([None] * height, dtype=pl.String)
        )

    named = {name: given(name) for name in ("locator", "group", "licence")}
    origin = pl.DataFrame(named).select(
        pl.struct(
            pl.lit(line.id).alias("source"),
            "locator",
            pl.coalesce("licence", pl.lit(line.source.licence, dtype=pl.String)).alias("licence"),
            "group",
            pl.lit(None, dtype=pl.List(pl.String)).alias("parents"),
            pl.lit(None, dtype=pl.String).alias("maker"),
            pl.lit([line.id], dtype=pl.List(pl.String)).alias("via"),
        )
        .cast(ORIGIN)
        .alias("origin")
    )
    return rows.with_columns(
        pl.Series("n", np.arange(first, first + height), dtype=pl.UInt32),
        contents,
        row_ids(line.id, keys, contents),
        origin["origin"],
    ).select(list(ROW))


def _keys(own: pl.Series, contents: pl.Series, copies: Counter[str]) -> pl.Series:
    keys: list[str] = []
    for key, content in zip(own.to_list(), contents.to_list(), strict=True):
        name = content if key is None else f"{key}\0{content}"
        number = copies[name]
        copies[name] += 1
        # a source's own key can repeat too (a broken export); then the copy number tells rows apart
        keys.append(f"#{number}" if key is None else key if number == 0 else f"{key}#{number}")
    return pl.Series(keys, dtype=pl.String)


def number_made(
    table: RowTable, line: StepLine, made: pl.DataFrame, stage: Stage, seen: pl.DataFrame
) -> pl.DataFrame:
    """A Make step's rows as records: what they leave out is inherited from their first parent.

    Args:
        table: the rows so far.
        line: the step.
        made: rows as `Make.make` gives them; those carried over from another run tell their `known_id`.
        stage: the stage that is computed.
        seen: `n` and `id` of the rows that the step saw.
    """
    numbers = seen.select("id", "n").rename({"id": "parent", "n": "parent_n"})
    made = made.with_columns(pl.col("parents").list.first().alias("parent"))
    made = made.join(numbers, on="parent", how="left", maintain_order="left")
    wanted = np.unique(made["parent_n"].to_numpy().astype(np.int64))
    inherited = table.read(["origin", "task", "language"], wanted).rename(
        {"n": "parent_n", "task": "old_task", "language": "old_language"}
    )
    made = made.join(inherited, on="parent_n", how="left", maintain_order="left")
    rows = conform(
        made.select(
            *(name for name in _CARRIED if name in made.columns and name not in ("task", "language")),
            *(_or_parents(made, name) for name in ("task", "language")),
        )
    )
    contents = content_hashes(rows)
    sample = pl.col("sample").fill_null(0) if "sample" in made.columns else pl.lit(0)
    keys = made.select(
        pl.concat_str(pl.col("parents").list.join(","), pl.lit(f"|{stage.round}|"), sample.cast(pl.String))
    ).to_series()
    ids = row_ids(line.id, keys, contents)
    if "known_id" in made.columns:  # its sample number is not stored, and the id is made of it
        ids = pl.select(pl.coalesce(made["known_id"], ids).alias("id")).to_series()
    first = len(table)
    group = pl.col("group") if "group" in made.columns else pl.col("origin").struct.field("group")
    origin = made.select(
        pl.col("origin")
        .struct.with_fields(
            group.alias("group"),
            pl.col("parents"),
            pl.lit(f"{line.id}+{stage.base_key[:12]}").alias("maker"),
            pl.col("origin")
            .struct.field("via")
            .list.concat(pl.lit([line.id], dtype=pl.List(pl.String)))
            .list.unique(maintain_order=True)
            .alias("via"),
        )
        .cast(ORIGIN)
        .alias("origin")
    )["origin"]
    return rows.with_columns(
        pl.Series("n", np.arange(first, first + rows.height), dtype=pl.UInt32),
        contents,
        ids,
        origin,
    ).select(list(ROW))


def _or_parents(made: pl.DataFrame, name: str) -> pl.Expr:
    if name in made.columns:
        return pl.coalesce(name, f"old_{name}").alias(name)
    return pl.col(f"old_{name}").alias(name)
