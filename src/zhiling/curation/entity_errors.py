"""Rows of entities as `label_errors` judges them: the worst token of each row, and every doubtful one."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.folds import group_numbers
from zhiling.curation.token_errors import tag_beliefs
from zhiling.curation.token_tags import has_spans, tokens_of

DOUBT = pl.Struct(
    {
        "message": pl.UInt32,
        "start": pl.UInt32,
        "end": pl.UInt32,
        "given": pl.String,
        "suggested": pl.String,
        "score": pl.Float64,
    }
)
DOUBT_FIELDS = [field.name for field in DOUBT.fields]
DOUBTS = pl.List(DOUBT)
"""Tokens whose tag is not the likeliest: place, tag, likeliest tag, probability of the tag."""


def judged_rows(rows: pl.DataFrame) -> pl.Series:
    """Rows with entities (or none) over a text with tokens; no row where two tags or groups are missing."""
    mask = has_spans(rows["target"])
    tokens = tokens_of(rows["messages"].filter(mask), rows["target"].filter(mask))
    judged = mask.arg_true().gather(tokens["row"].unique())
    enough = tokens["given"].n_unique() > 1 and group_numbers(rows[judged]).n_unique() > 1
    found = np.zeros(rows.height, dtype=bool)
    found[judged.to_numpy()] = enough
    return pl.Series(found)


def judged_entities(rows: pl.DataFrame, folds: NDArray[np.int64]) -> pl.DataFrame:
    """`score`, `suggested` and `probability` of each row's least likely tag; `tokens`, its doubtful ones."""
    tokens = tokens_of(rows["messages"], rows["target"])
    beliefs = tag_beliefs(tokens, folds[tokens["row"].to_numpy()])
    judged = tokens.select("row", "message", "start", "end", "given").hstack(beliefs)
    least = judged.sort("row", "score", maintain_order=True).unique("row", keep="first", maintain_order=True)
    doubtful = judged.filter(pl.col("given") != pl.col("suggested"))
    places = doubtful.group_by("row", maintain_order=True).agg(tokens=pl.struct(DOUBT_FIELDS))
    index = pl.DataFrame({"row": pl.Series(np.arange(rows.height), dtype=pl.UInt32)})
    found = index.join(least, on="row", how="left", maintain_order="left")
    found = found.join(places, on="row", how="left", maintain_order="left")
    return found.with_columns(pl.col("tokens").fill_null(pl.lit([], dtype=DOUBTS)))
