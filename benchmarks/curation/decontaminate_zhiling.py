"""Decontamination, our side: JSON lines in, JSON lines without contaminated rows out, and what was hit.

    python decontaminate_zhiling.py CORPUS EVALUATION OUT HITS.npy [all]

Runs of 13 words or 20 Chinese characters; with `all` short texts inside a turn and edited copies as well.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from near_dedup_zhiling import COLUMNS, blocks, joined, line_ends, write

from zhiling.text import compiled
from zhiling.text.containment import ContainmentIndex
from zhiling.text.ngrams import NgramIndex
from zhiling.text.normalise import normalise
from zhiling.text.short_texts import ShortTexts
from zhiling.text.tokens import token_counts


def main(corpus: str, evaluation: str, out: str, hits: str, *how: str) -> None:
    """The whole job: read, normalise, look up, confirm, write."""
    compiled.kernels(Path(corpus).stat().st_size)
    wanted = normalise(pl.read_ndjson(evaluation)["text"])
    index = NgramIndex.build(wanted)
    short = ShortTexts(wanted, (6, 10), (12, 19))
    copies = ContainmentIndex.build(wanted) if how else None
    found: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    for block in blocks(Path(corpus)):
        rows = pl.read_ndjson(BytesIO(block), schema=dict.fromkeys(COLUMNS, pl.String))
        asked = rows.select(pl.concat_str(COLUMNS[:2], separator="\n")).to_series()
        text = normalise(pl.concat([asked, rows[COLUMNS[2]]]))
        match = index.hits(text).match
        if copies is not None:
            counts = token_counts(text).to_numpy().astype(np.int64)
            match = np.where(match >= 0, match, short.find(text, counts, 0.5).match)
            match = np.where(match >= 0, match, copies.find(text, 0.4).match)
        ends.append(line_ends(block))
        found.append(match.reshape(2, -1).max(axis=0))
    match = np.concatenate(found)
    write(Path(corpus), Path(out), joined(ends), match < 0)
    np.save(hits, match)


if __name__ == "__main__":
    main(*sys.argv[1:])
