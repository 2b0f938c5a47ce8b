"""The machine-readable truth of a row (`target`, JSON): what the schema of its task puts where."""

from __future__ import annotations

import polars as pl

LABEL = pl.col("target").str.json_path_match("$.labels[0]")
"""A row's (first) label, null where its target has none."""
