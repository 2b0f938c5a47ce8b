"""The local engine: Polars in this process, one batch after the other.

How the rows of a step are cut is the same for every engine: rows steps stream in batches, group steps in
batches that hold groups whole, table steps see their columns at once. What a piece does is `apply`, what
becomes of its outcome is the runner's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from zhiling.pipeline.apply import Outcome, apply
from zhiling.pipeline.engines.engine import Work, read_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhiling.pipeline.step import Step
    from zhiling.pipeline.table import RowTable

BATCH_ROWS = 20_000


class LocalEngine:
    """Computes in this process."""

    def outcomes(self, work: Work, batches: Sequence[pl.DataFrame]) -> Generator[Outcome]:
        """The outcome of each batch, in the order of the batches."""
        for batch in batches:
            yield apply(work.link.step, read_batch(work.files, work.link.step, batch), work.link.context)


def cut(step: Step, table: RowTable, numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The batches of a step as arrays of row numbers; the same rows always give the same cut."""
    if not len(numbers):
        return []
    if step.scope == "table":
        return [numbers]
    if step.scope == "rows":
        return [numbers[start : start + BATCH_ROWS] for start in range(0, len(numbers), BATCH_ROWS)]
    return list(_whole_groups(table, numbers))


def _whole_groups(table: RowTable, numbers: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Batches in which the rows of one group stand together and no group is cut."""
    groups = table.read(["group"], numbers)
    ordered = (
        groups.with_columns(pl.col("group").fill_null(pl.lit("\0row ") + pl.col("n").cast(pl.String)))
        .with_columns(pl.col("n").min().over("group").alias("first"))
        .sort("first", "n")
    )
    values = ordered["n"].to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.diff(ordered["first"].to_numpy().astype(np.int64), prepend=-1))
    begin = 0
    for start in [*starts[1:], len(values)]:
        if start - begin >= BATCH_ROWS or start == len(values):
            yield values[begin:start]
            begin = start
