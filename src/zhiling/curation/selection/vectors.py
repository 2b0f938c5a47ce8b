"""Vectors of many texts within memory: encoded in blocks, wide ones projected."""

from __future__ import annotations

import numpy as np
import polars as pl

from zhiling.curation.selection.cells import EXACT_ROWS
from zhiling.curation.selection.choice import Vectors
from zhiling.pipeline.step import Encoder

WIDEST = 512
"""Columns that are held for many rows: 2 GB for a million."""
PROJECTED = 384


def encoded(texts: pl.Series, encoder: Encoder, table_rows: int | None = None) -> Vectors:
    """Vectors of length 1 (0 for an empty text), float32 (n, dimension).

    Of a table of more than 16,384 rows, encodings of more than 512 columns are projected to 384 by random
    signs, which moves a cosine by .05 on average (Johnson & Lindenstrauss 1984; Achlioptas 2003).

    Args:
        texts: one a row.
        encoder: the recipe's encoder.
        table_rows: rows of the table that these vectors are compared with; None: the texts are the table.
    """
    if (len(texts) if table_rows is None else table_rows) <= EXACT_ROWS:
        return encoder.encode(texts.to_list())
    parts = [
        _narrow(encoder.encode(texts[start : start + EXACT_ROWS].to_list()))
        for start in range(0, len(texts), EXACT_ROWS)
    ]
    return np.concatenate(parts)


def _narrow(vectors: Vectors) -> Vectors:
    if vectors.shape[1] <= WIDEST:
        return vectors
    signs = np.random.default_rng(0).choice(
        np.array([-1, 1], dtype=np.float32), size=(vectors.shape[1], PROJECTED)
    )
    projected = vectors @ signs
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    return projected / np.where(lengths == 0, 1, lengths).astype(np.float32)
