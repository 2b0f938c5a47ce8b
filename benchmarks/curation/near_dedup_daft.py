"""Near-duplicates with Daft: its native normal form and MinHash, 16 bands of 8, a group-by for the buckets.

    python near_dedup_daft.py CORPUS OUT PAIRS.npy

Daft cuts words at spaces, so a Chinese sentence is one word. Nothing is verified; a row stays unless an
earlier one shares a bucket with it. The process leaves without Daft's own shutdown, which crashes at times
after its output is complete.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import daft
import numpy as np
from daft import col, functions

PERMUTATIONS, WIDTH, SIZE = 128, 8, 5
COLUMNS = ("instruction", "input", "output")


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, shingle, sign, meet, write."""
    rows = daft.read_json(corpus)._add_monotonically_increasing_id("number").collect()
    text = col(COLUMNS[0]) + "\n" + col(COLUMNS[1]) + "\n" + col(COLUMNS[2])
    plain = functions.normalize(text, remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    signature = functions.minhash(
        plain, num_hashes=PERMUTATIONS, ngram_size=SIZE, seed=1, hash_function="xxhash3_64"
    )
    signed = rows.select("number", signature.alias("signature")).collect()
    bands = [
        signed.select(
            "number",
            functions.hash(functions.slice(col("signature"), start, start + WIDTH)).alias("key"),
            daft.lit(start).alias("band"),
        )
        for start in range(0, PERMUTATIONS, WIDTH)
    ]
    keys = bands[0]
    for band in bands[1:]:
        keys = keys.concat(band)
    groups = keys.groupby("band", "key").agg(
        col("number").min().alias("first"), functions.list_agg(col("number")).alias("number")
    )
    found = (
        groups.where(functions.list_count(col("number")) > 1)
        .explode("number")
        .where(col("number") > col("first"))
        .select("first", "number")
        .distinct()
        .collect()
    )
    kept = rows.join(found.select("number").distinct(), on="number", how="anti").exclude("number")
    with tempfile.TemporaryDirectory() as folder:
        kept.write_json(folder)
        with Path(out).open("wb") as target:
            for part in sorted(Path(folder).rglob("*.json*")):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, target)
    told = found.to_pydict()
    np.save(pairs, np.column_stack([told["first"], told["number"]]).astype(np.int64))


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)
