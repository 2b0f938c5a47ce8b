"""Near-duplicates, our side: JSON lines in, JSON lines without near-duplicates out, and who stands for whom.

    python near_dedup_zhiling.py CORPUS OUT PAIRS.npy [numpy]

The file is read twice in blocks, once for its texts and once to copy the lines to keep, so memory does not
grow with the texts. `numpy` leaves the compiled kernels out even where numba is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from zhiling.curation.contest import Contest
from zhiling.text import compiled
from zhiling.text.near import Near, NearIndex
from zhiling.text.shingles import text_bags
from zhiling.text.union_find import components

BLOCK_BYTES = 1 << 23
COLUMNS = ("instruction", "input", "output")
THRESHOLD = 0.8


def blocks(path: Path) -> Iterator[bytes]:
    """Whole lines of a file, about eight megabytes at a time."""
    start = 0
    with path.open("rb") as file:
        while True:
            file.seek(start + BLOCK_BYTES)
            file.readline()
            stop = file.tell()
            file.seek(start)
            if not (block := file.read(stop - start)):
                return
            yield block
            start = stop


def line_ends(block: bytes) -> np.ndarray:
    """Where each line of a block ends."""
    return np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10) + 1


def joined(ends: list[np.ndarray]) -> np.ndarray:
    """0 and where each line of a file ends, given those of its blocks."""
    starts = np.cumsum([0, *(block[-1] for block in ends)])
    return np.concatenate([[0], *(block + start for block, start in zip(ends, starts, strict=False))])


def near(corpus: Path) -> tuple[Near, np.ndarray, np.ndarray]:
    """The near-duplicates of a file, the number of shingles of each row, and where each line ends."""
    compiled.kernels(corpus.stat().st_size)
    ends: list[np.ndarray] = []
    with NearIndex(THRESHOLD) as index:
        for block in blocks(corpus):
            ends.append(line_ends(block))
            rows = pl.read_ndjson(BytesIO(block), schema=dict.fromkeys(COLUMNS, pl.String))
            text = rows.select(pl.concat_str(COLUMNS, separator="\n")).to_series()
            for part in text_bags(text):
                index.add(part)
        return index.find(), index.sizes, joined(ends)


def representatives(found: Near, sizes: np.ndarray) -> np.ndarray:
    """The row that stands for each row: the one with most shingles, then the earliest."""
    sizes[found.rows] = found.sets.sizes
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((np.arange(len(sizes)), -sizes))] = np.arange(len(sizes))
    labels = components(len(found.rows), found.pairs.left, found.pairs.right)
    every = np.ones(len(found.rows), dtype=np.bool_)
    stands = np.arange(len(sizes))
    contest = Contest(found, labels, rank[found.rows], found.rows, every)
    stands[found.rows] = contest.decided(THRESHOLD)[0]
    return stands


def write(corpus: Path, out: Path, ends: np.ndarray, kept: np.ndarray) -> None:
    """The lines of the rows that are kept, copied run by run."""
    runs = ends[np.flatnonzero(np.diff(kept, prepend=False, append=False))].reshape(-1, 2)
    buffer = memoryview(bytearray(1 << 20))
    start = stop = 0  # what of the file the buffer holds
    with corpus.open("rb", buffering=0) as source, out.open("wb", buffering=len(buffer)) as target:
        for first, end in runs.tolist():
            place = first
            while place < end:
                if place >= stop:
                    start = source.seek(place)
                    stop = start + source.readinto(buffer)
                piece = min(end, stop)
                target.write(buffer[place - start : piece - start])
                place = piece


def main(corpus: str, out: str, pairs: str, *how: str) -> None:
    """The whole job: read, normalise, shingle, find, verify, choose, write."""
    if "numpy" in how:
        compiled.PAYS_FROM_BYTES = sys.maxsize
    found, sizes, ends = near(Path(corpus))
    stands = representatives(found, sizes)
    kept = stands == np.arange(len(stands))
    write(Path(corpus), Path(out), ends, kept)
    removed = np.flatnonzero(~kept)
    np.save(pairs, np.column_stack([stands[removed], removed]))


if __name__ == "__main__":
    main(*sys.argv[1:])
