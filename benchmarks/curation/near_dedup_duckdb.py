"""Near-duplicates in SQL with DuckDB: tokens, shingles, 128 minima in 16 bands, a row per bucket.

    python near_dedup_duckdb.py CORPUS OUT PAIRS.npy

The same tokens and shingles as on the other sides. A permutation is an exclusive or with a constant: over
well mixed hashes as good as a product, and the cheapest in SQL. Nothing is verified; a row stays unless an
earlier one shares a bucket with it.
"""

from __future__ import annotations

import sys
from random import Random

import duckdb
import numpy as np

PERMUTATIONS, BANDS, SIZE = 128, 16, 5
SPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{S}]|[\p{L}\p{M}\p{N}]+"
GRAMS = f"""
    CREATE TABLE grams AS
    WITH tokens AS (
        SELECT number, regexp_extract_all(lower(nfc_normalize(concat_ws(chr(10), instruction, input, output))), $spaced) AS t
        FROM rows
    )
    SELECT number, unnest([
        hash({", ".join(f"t[i + {n}]" for n in range(SIZE))}) FOR i IN range(1, greatest(len(t) - {SIZE - 1}, 1) + 1)
    ]) AS h
    FROM tokens WHERE len(t) > 0
"""  # noqa: E501


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, shingle, sign, meet, write."""
    draw = Random(1)
    minima = [f"min(xor(h, {draw.getrandbits(64)}::UBIGINT)) AS m{n}" for n in range(PERMUTATIONS)]
    width = PERMUTATIONS // BANDS
    keys = [f"hash({', '.join(f'm{b * width + n}' for n in range(width))})" for b in range(BANDS)]
    base = duckdb.connect()
    base.execute(
        "CREATE TABLE rows AS SELECT row_number() OVER () - 1 AS number, * FROM read_json(?,"
        " format='newline_delimited')",
        [corpus],
    )
    base.execute(GRAMS, {"spaced": SPACED})
    base.execute(f"CREATE TABLE signed AS SELECT number, {', '.join(minima)} FROM grams GROUP BY number")
    base.execute(
        "CREATE TABLE keys AS SELECT number, unnest(range(?)) AS band,"
        f" unnest([{', '.join(keys)}]) AS key FROM signed",
        [BANDS],
    )
    base.execute(
        "CREATE TABLE found AS SELECT DISTINCT first, number FROM"
        " (SELECT number, min(number) OVER (PARTITION BY band, key) AS first FROM keys) WHERE first < number"
    )
    base.execute(
        "COPY (SELECT * EXCLUDE number FROM rows WHERE number NOT IN (SELECT number FROM found)"
        f" ORDER BY number) TO '{out}' (FORMAT json)"
    )
    found = base.execute("SELECT first, number FROM found").fetchnumpy()
    np.save(pairs, np.column_stack([found["first"], found["number"]]).astype(np.int64))


if __name__ == "__main__":
    main(*sys.argv[1:])
