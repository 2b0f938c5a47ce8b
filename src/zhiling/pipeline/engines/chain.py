"""Several steps over one reading of a batch: what a worker does.

Each step sees the rows that those before it kept, and what they measured; its outcome is what it would
be in a pass of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.errors import ZhilingError
from zhiling.pipeline.apply import Outcome, apply
from zhiling.pipeline.engines.engine import Link, columns_of
from zhiling.pipeline.ledger import TERMINAL
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.table import RowFiles


@dataclass(frozen=True)
class Pass:
    """What one step of a chain did.

    Attributes:
        numbers: the rows that it was given, ascending or in the order of the batch.
        outcome: as `apply` gives it; the lines of steps behind the first carry no keys, see `keyed`.
    """

    numbers: NDArray[np.uint32]
    outcome: Outcome


def run_chain(files: RowFiles, links: Sequence[Link], batch: pl.DataFrame) -> list[Pass]:
    """The passes of a chain over a batch (`n` and `key`), the first step's first.

    The chain ends early where a step behind the first raises: that is told when its own turn comes.
    """
    own = {link.context.step_id for link in links}
    columns = dict.fromkeys(name for link in links for name in columns_of(link.step))
    stored = [name for name in columns if name.partition(".")[0] not in own]
    frame = files.read(stored, batch["n"].to_numpy().astype(np.int64)).with_columns(batch["key"])
    passes: list[Pass] = []
    for link in links:
        try:
            outcome = apply(link.step, _given(link.step.reads(), columns_of(link.step), frame), link.context)
        except ZhilingError:
            if not passes:
                raise
            break
        passes.append(Pass(frame["n"].to_numpy(), outcome))
        frame = _behind(frame, outcome, link.context.step_id, list(columns))
    return passes


def _given(reads: Sequence[str], columns: Sequence[str], frame: pl.DataFrame) -> pl.DataFrame:
    marks = dict.fromkeys(f"seen:{name.partition('.')[0]}" for name in reads if "." in name)
    return frame.select("n", *columns, *marks, "key")


def _behind(frame: pl.DataFrame, outcome: Outcome, step_id: str, columns: Sequence[str]) -> pl.DataFrame:
    """The rows that a step kept, with what it measured of them where a later step reads that."""
    gone = outcome.ledger.filter(pl.col("verdict").is_in([str(verdict) for verdict in TERMINAL]))["n"]
    kept = frame.filter(~pl.col("n").is_in(gone.implode())) if len(gone) else frame
    kept = kept.with_columns(pl.lit(None, pl.UInt64).alias("key"))
    wanted = [name for name in columns if name.partition(".")[0] == step_id and "." in name]
    if not wanted:
        return kept
    mark = f"seen:{step_id}"
    if outcome.measures is None:
        return kept.with_columns(pl.lit(False).alias(mark), *(pl.lit(None).alias(name) for name in wanted))
    measured = outcome.measures.select("n", *wanted).with_columns(pl.lit(True).alias(mark))
    return kept.join(measured, on="n", how="left", maintain_order="left").with_columns(
        pl.col(mark).fill_null(False)
    )


def keyed(outcome: Outcome, batch: pl.DataFrame) -> Outcome:
    """The lines and measures of the batch's rows alone, in order of `n`, with the batch's keys."""
    rows = batch.select("n", pl.col("key").alias("own"))
    lines = outcome.ledger.join(rows, on="n").sort("n")
    done = pl.col("verdict") != str(Verdict.FAILED)
    lines = lines.with_columns(pl.when(done).then("own").alias("key")).drop("own")
    measures = outcome.measures
    if measures is not None:
        measures = measures.join(rows.select("n"), on="n").sort("n")
    return Outcome(lines, measures if measures is not None and measures.height else None)
