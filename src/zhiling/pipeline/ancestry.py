"""Where rows come from: themselves, and every row that they were made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from zhiling.pipeline.table import RowTable


def roots(table: RowTable, ids: pl.Series) -> pl.Series:
    """`roots`: the id of each row and the ids of all its ancestors, itself first."""
    made = table.read(["id", "origin"], table.made())
    parents = dict(zip(made["id"].to_list(), made["origin"].struct.field("parents").to_list(), strict=True))
    # Most rows come from a source: only those that a step made are looked at one by one.
    own = pl.DataFrame({"id": ids})
    known = own.filter(pl.col("id").is_in(made["id"].implode())).with_columns(
        pl.col("id")
        .map_elements(lambda row: _ancestry(row, parents), return_dtype=pl.List(pl.String))
        .alias("roots")
    )
    whole = pl.coalesce("roots", pl.concat_list("id"))
    return (
        own.join(known, on="id", how="left", maintain_order="left").select(whole).to_series().alias("roots")
    )


def _ancestry(row: str, parents: Mapping[str, Sequence[str] | None]) -> list[str]:
    found = {row: None}
    waiting = list(parents.get(row) or [])
    while waiting:
        parent = waiting.pop()
        if parent not in found:  # two parents may share one of their own
            found[parent] = None
            waiting += parents.get(parent) or []
    return list(found)
