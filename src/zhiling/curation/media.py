"""The media of rows: pictures, sound and films that their messages refer to."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.rows.conversation import flatten


def media_of(messages: pl.Series) -> pl.DataFrame:
    """`row, kind, path, sha256` of every medium, in the order of the messages."""
    lines = flatten(messages).select("row", "media").explode("media", keep_nulls=False, empty_as_null=False)
    return lines.select("row", pl.col("media").struct.unnest()).select("row", "kind", "path", "sha256")


def media_hashes(messages: pl.Series) -> NDArray[np.int64]:
    """A hash of each row's media, in order, by content (by path where that is not known); 0: it has none."""
    hashes = np.zeros(len(messages), dtype=np.int64)
    told = pl.coalesce("sha256", "path", pl.lit(""))
    joined = media_of(messages).group_by("row", maintain_order=True).agg(told.alias("told"))
    for row, names in joined.iter_rows():
        content = blake2b("\0".join(names).encode(), digest_size=8).digest()
        hashes[row] = int.from_bytes(content, "little", signed=True)
    return hashes
