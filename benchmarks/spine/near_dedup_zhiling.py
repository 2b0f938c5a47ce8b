"""spine.2, our side: JSON lines in, pairs of near-duplicates out (an .npy file of two columns)."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl

from zhiling.text.minhash import near_duplicates
from zhiling.text.normalise import normalise
from zhiling.text.shingles import shingles


def main(corpus: str, out: str, method: str) -> None:
    """The whole job: read, normalise, shingle, find, verify, write."""
    columns = ["instruction", "input", "output"]
    text = pl.read_ndjson(corpus).select(pl.concat_str(columns, separator="\n")).to_series()
    text = normalise(text)
    sets = shingles(text)
    del text
    pairs = near_duplicates(sets, 0.8, "exact" if method == "exact" else "minhash")
    np.save(out, np.column_stack([pairs.left, pairs.right]))


if __name__ == "__main__":
    main(*sys.argv[1:])
