"""Folds for cross-fitting: whole conversations and documents, whatever the order of the rows."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.pipeline.step import Context


def group_numbers(rows: pl.DataFrame) -> pl.Series:
    """A number per row, equal for rows of one group; a row without a group is a group by itself.

    As numbers, because Polars 2.1 counts distinct long strings within groups too high after `scatter`.
    """
    return rows["group"].fill_null(rows["id"]).rank("dense").alias("group")


def group_folds(rows: pl.DataFrame, count: int, context: Context) -> NDArray[np.int64]:
    """The fold of each row, 0 to `count` - 1: whole groups, dealt out like cards in random order.

    Args:
        rows: `id` and `group` (a row without a group is a group by itself).
        count: number of folds; with fewer groups some folds are empty.
        context: gives the random order.
    """
    owners = rows["group"].fill_null(rows["id"])
    groups = owners.unique().sort()
    ranks = np.argsort(np.argsort(context.uniform(groups), kind="stable"), kind="stable")
    deal = pl.DataFrame({"owner": groups, "fold": ranks % count})
    return (
        pl.DataFrame({"owner": owners})
        .join(deal, on="owner", how="left", maintain_order="left")["fold"]
        .to_numpy()
    )
