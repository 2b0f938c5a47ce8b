"""Near-duplicates of short Chinese texts by one side, at its defaults.

    python near_dedup_short.py SIDE CORPUS OUT.npy

Defaults are what a side's own first example does: zhiling cuts characters, the peers cut at spaces, so that a
Chinese sentence is one token. `datasketch characters` is the peer with the same character 5-grams as zhiling.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

THRESHOLD, PERMUTATIONS = 0.7, 128


def zhiling(texts: list[str]) -> list[tuple[int, int]]:
    """The pairs by verified MinHash."""
    import polars as pl

    from zhiling.text.minhash import near_duplicates
    from zhiling.text.normalise import normalise
    from zhiling.text.shingles import shingles

    pairs = near_duplicates(shingles(normalise(pl.Series(texts))), THRESHOLD)
    return list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))


def datasketch(texts: list[str], *, characters: bool) -> list[tuple[int, int]]:
    """The pairs that share a bucket of the index."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    pairs: list[tuple[int, int]] = []
    for number, text in enumerate(texts):
        size = max(len(text) - 4, 1)
        made = MinHash(num_perm=PERMUTATIONS)
        tokens = (text[start : start + 5] for start in range(size)) if characters else text.split()
        for token in set(tokens):
            made.update(token.encode())
        pairs.extend((other, number) for other in index.query(made))
        index.insert(number, made)
    return pairs


def rensa(texts: list[str]) -> list[tuple[int, int]]:
    """The pairs that share a bucket of the index."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(THRESHOLD, PERMUTATIONS, 16)
    pairs: list[tuple[int, int]] = []
    for number, text in enumerate(texts):
        made = RMinHash(PERMUTATIONS, 42)
        made.update(text.split())
        pairs.extend((other, number) for other in index.query(made))
        index.insert(number, made)
    return pairs


def main(side: str, corpus: str, out: str) -> None:
    """Read, find, tell."""
    texts = [json.loads(line)["text"] for line in Path(corpus).read_text(encoding="utf-8").splitlines()]
    if side.startswith("datasketch"):
        pairs = datasketch(texts, characters=side.endswith("characters"))
    else:
        pairs = rensa(texts) if side == "rensa" else zhiling(texts)
    np.save(out, np.array(pairs, dtype=np.int64).reshape(-1, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
