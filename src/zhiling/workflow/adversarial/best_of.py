"""Best of n: of every so many proposals the one whose label fits its text best, by the known rows."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.discriminators.match import fit_match
from zhiling.adversarial.features import features
from zhiling.workflow.adversarial.bench import Bench

_DRAW = 11


def best_of(rows: pl.DataFrame, bench: Bench, size: int) -> pl.DataFrame:
    """One row of each of `size` groups that the rows are dealt into at random, the one that fits best.

    Args:
        rows: `text` and `label`, labels of known rows.
        bench: the known rows that tell what fits.
        size: of the result, where there are as many rows.
    """
    rows = rows.sort("text", "label")
    if rows.height <= size or not size:
        return rows.head(size)
    draws = np.random.default_rng([bench.seed, _DRAW])
    dealt = np.empty(rows.height, dtype=np.int64)
    dealt[draws.permutation(rows.height)] = np.arange(rows.height) % size
    told = rows.with_columns(pl.Series("fits", _fits(rows, bench, draws)), pl.Series("group", dealt))
    best = told.sort("fits", descending=True, maintain_order=True)
    return best.unique("group", keep="first", maintain_order=True).select("text", "label")


def _fits(rows: pl.DataFrame, bench: Bench, draws: np.random.Generator) -> NDArray[np.float64]:
    """Probability that each label fits its text, by a discriminator of the known rows."""
    labels = bench.known["label"].unique().sort()
    places = pl.int_range(len(labels), eager=True)
    known, asked = (
        each["label"].replace_strict(labels, places, return_dtype=pl.Int64).to_numpy()
        for each in (bench.known, rows)
    )
    texts, others = (features(each["text"].to_list(), bench.encoder) for each in (bench.known, rows))
    real = np.ones(len(known), dtype=np.bool_)
    return fit_match(texts, known, len(labels), draws, real).fits(others, asked)
