"""The distinct user texts of some rows, as shingles to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.normalise import normalise
from zhiling.text.shingles import Shingles, shingles

WINDOW = 5
"""Code points in a shingle of user text."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """Which rows have a text, and which; white space around it and empty texts do not count."""

    rows: Integers
    """The rows with a text, ascending."""
    number: Integers
    """The number of the text of each of them, from 0."""
    first: Integers
    """The first row with each text."""
    grams: Shingles
    """The set of 5-grams of code points of each text's normal form."""
    near: float
    """The Jaccard similarity from which on two texts are near."""

    @classmethod
    def of(cls, text: pl.Series, near: float) -> Self:
        """From the user text of every row; a null is an empty text."""
        stripped = pl.DataFrame({"text": text.str.strip_chars().fill_null("")}).with_row_index("row")
        filled = stripped.filter(pl.col("text") != "").with_columns(
            pl.col("row").min().over("text").alias("first")
        )
        distinct = filled.filter(pl.col("row") == pl.col("first"))
        rows, first = (filled[name].to_numpy().astype(np.int64) for name in ("row", "first"))
        firsts = distinct["row"].to_numpy().astype(np.int64)
        grams = shingles(normalise(distinct["text"]), WINDOW, "character")
        return cls(rows, np.searchsorted(firsts, first), firsts, grams, near)
