"""Rows that a mixture wants more than once: copies in the train part of exports and of what a model learns.

A row stays one row in the run. Its copies are lines of a file, or examples, with one id; dev and test parts
hold each row once, as a repeated question tells nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.mixture import Mixture
from zhiling.pipeline.store import Manifest
from zhiling.pipeline.table import RowTable

TRAIN = "train"


def times_column(manifest: Manifest) -> str | None:
    """The column of the last `mixture` that says how often each row is wanted; None where there is none."""
    used = [stage.id for stage in manifest.stages if stage.use == Mixture.name]
    return f"{used[-1]}.times" if used else None


def rounds(rows: pl.DataFrame, column: str | None) -> Iterator[pl.DataFrame]:
    """The rows once, then those wanted twice, and so on: no more than these rows are held at a time.

    Rows without a number (made behind the mixture) are wanted once.
    """
    yield rows
    if column is None:
        return
    wanted = rows[column].fill_null(1)
    for number in range(1, int(wanted.max() or 1)):  # pyright: ignore[reportArgumentType] integers only
        yield rows.filter(wanted > number)


def repeated(rows: pl.DataFrame, manifest: Manifest, table: RowTable) -> pl.DataFrame:
    """The rows (with their `n`) as often as they are wanted, copies behind each other."""
    column = times_column(manifest)
    if column is None or not rows.height:
        return rows
    numbers = np.sort(rows["n"].to_numpy().astype(np.int64))
    wanted = table.read([column], numbers).select("n", pl.col(column).fill_null(1))
    joined = rows.select("n").join(wanted, on="n", how="left", maintain_order="left")
    times: NDArray[np.int64] = joined[column].to_numpy().astype(np.int64)
    return rows[np.repeat(np.arange(rows.height), times)]
