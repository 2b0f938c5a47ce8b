"""The label of a row: the first of the `labels` of its `target`."""

from __future__ import annotations

import polars as pl


def label_of(target: pl.Series) -> pl.Series:
    """The label of each row; null where the target holds none (or none that is a text)."""
    found = target.cast(pl.String).str.json_path_match("$.labels[0]").alias("label")
    is_text = target.cast(pl.String).str.contains(r'"labels"\s*:\s*\[\s*"').fill_null(value=False)
    return pl.select(pl.when(is_text & (found != "")).then(found).alias("label"))["label"]
