"""Near-duplicates with rensa: Polars reads, cuts and hashes the shingles and writes, rensa signs and finds.

    python near_dedup_rensa.py CORPUS OUT PAIRS.npy

The peer at its best: shingles are hashed in Polars and handed over as one flat buffer (a set of Python
strings for each row costs five times as much), a first pass flags the rows that share a bucket, and only
these become signatures of their own. The same tokens and shingles as on the other sides, 128 permutations in
16 bands. What shares a bucket counts where .8 of the signature agrees, the only verification that rensa
offers; a row stays unless an earlier one is near.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
from rensa import RMinHash, RMinHashLSH

PERMUTATIONS, BANDS, THRESHOLD, SIZE = 128, 16, 0.8, 5
COLUMNS = ("instruction", "input", "output")
SPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{S}]|[\p{L}\p{M}\p{N}]+"
SLICE_ROWS = 50_000


def hashed_shingles(text: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """The hash of each word 5-gram, one after the other, and how many each row has."""
    tokens = pl.DataFrame({"token": text.str.normalize("NFKC").str.to_lowercase().str.extract_all(SPACED)})
    counts = tokens["token"].list.len().to_numpy().astype(np.int64)
    flat = tokens.with_row_index("row").explode("token").select("row", pl.col("token").hash(1))
    windows = flat.select(
        "row",
        gram=pl.struct(pl.col("token").shift(-step).alias(f"{step}") for step in range(SIZE)).hash(1),
        inside=(pl.col("row") == pl.col("row").shift(-(SIZE - 1))).fill_null(value=False)
        | (pl.col("row") != pl.col("row").shift(1)).fill_null(value=True),
    )
    return windows.filter("inside")["gram"], np.maximum(counts - SIZE + 1, 1)


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, shingle, sign, index, query, write."""
    rows = pl.read_ndjson(corpus)
    texts = rows.select(pl.concat_str(COLUMNS, separator="\n")).to_series()
    grams: list[pl.Series] = []
    counts: list[np.ndarray] = [np.zeros(1, dtype=np.int64)]
    for start in range(0, len(texts), SLICE_ROWS):
        made, number = hashed_shingles(texts.slice(start, SLICE_ROWS))
        grams.append(made)
        counts.append(number)
    flat = pl.concat(grams).to_numpy()
    offsets = np.cumsum(np.concatenate(counts)).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, PERMUTATIONS, 1)
    flags = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS).query_duplicate_flags_matrix_one_shot(matrix)
    index = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)
    signed: dict[int, RMinHash] = {}
    found: list[tuple[int, int]] = []
    for number in np.flatnonzero(flags).tolist():
        made = RMinHash(PERMUTATIONS, 1)
        made.update(flat[offsets[number] : offsets[number + 1]].astype("U20").tolist())
        near = [other for other in index.query(made) if made.jaccard(signed[other]) >= THRESHOLD]
        found.extend((other, number) for other in near)
        if not near:
            signed[number] = made
            index.insert(number, made)
    kept = np.ones(rows.height, dtype=np.bool_)
    kept[[right for _, right in found]] = False
    rows.filter(pl.Series(kept)).write_ndjson(out)
    np.save(pairs, np.array(found, dtype=np.int64).reshape(-1, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
