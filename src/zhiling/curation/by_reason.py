"""Verdicts of a step with several reasons, of which the first that holds is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.pipeline.step import Verdict, verdicts


def by_reason(
    masks: Mapping[Any, NDArray[np.bool_]],
    *,
    score: NDArray[np.float64] | None = None,
    verdict: Verdict = Verdict.REJECT,
) -> pl.DataFrame:
    """The frame that `decide` returns, from where each reason holds, in the order of their weight.

    Args:
        masks: for each reason (a `StrEnum`) bool per row; at least one.
        score: float per row; by default how many of the reasons hold.
        verdict: what happens to a row for which one holds.
    """
    table = np.column_stack(list(masks.values()))
    names = pl.Series([str(reason) for reason in masks], dtype=pl.String)
    held = table.sum(axis=1).astype(np.float64)
    return verdicts(
        held > 0,
        names.gather(table.argmax(axis=1)),
        score=held if score is None else score,
        verdict=verdict,
    )
