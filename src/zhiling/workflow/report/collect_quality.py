"""How far a quality score follows length: what has to be known before rows are chosen by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.length_matched import rank_correlation
from zhiling.curation.parts import Part, part_text
from zhiling.errors import ZhilingError
from zhiling.pipeline import registry
from zhiling.pipeline.step import Measure
from zhiling.pipeline.store import Stage
from zhiling.text.tokens import token_counts
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.report.facts import LengthBias, Quarter

_BATCH = 20_000
_QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def length_bias(book: Book, stages: Sequence[Stage]) -> LengthBias | None:
    """The score of a quality step held against length; None of other steps, and where nothing varies."""
    part = _ranks(stages[0].use)
    if part is None:
        return None
    column = f"{stages[0].id}.score"
    frames = [frame for stage in stages if (frame := book.measures(stage)) is not None]
    scored = [frame.select("n", column).drop_nulls() for frame in frames if column in frame.columns]
    if not scored:
        return None
    rows = pl.concat(scored).sort("n")
    lengths = [
        token_counts(part_text(batch["messages"], part)).to_numpy()
        for batch in book.table.batches(["messages"], rows["n"].to_numpy().astype(np.int64), _BATCH)
    ]
    scores, length = rows[column].to_numpy(), np.concatenate([np.empty(0), *lengths])
    correlation = rank_correlation(scores, length)
    if np.isnan(correlation):
        return None
    return LengthBias(part, correlation, len(scores), tuple(_quarters(scores, length)))


def _ranks(use: str) -> Part | None:
    """What the step's score ranks: reply or question; None of a step that is no measure of quality."""
    try:
        step = registry.load("step", use)
    except ZhilingError:  # a plug-in that is not installed here: the report shows what stands on disk
        return None
    return step.quality or None if issubclass(step, Measure) else None


def _quarters(scores: NDArray[np.float64], lengths: NDArray[np.float64]) -> Iterator[Quarter]:
    """The rows in four parts by length, ties together; empty ones are left out."""
    edges = np.quantile(lengths, _QUARTERS)
    edges[-1] += 1
    for low, high in pairwise(np.unique(np.ceil(edges))):
        inside = scores[(lengths >= low) & (lengths < high)]
        if len(inside):
            yield Quarter(int(low), int(high) - 1, len(inside), float(np.median(inside)))
