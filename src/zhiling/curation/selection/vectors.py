"""Vectors of many texts within memory: encoded in blocks, wide ones projected, held in half precision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zhiling.curation.selection.cells import EXACT_ROWS, cosines
from zhiling.curation.selection.choice import Numbers, Vectors
from zhiling.curation.selection.texts import BLOCK_ROWS, Texts
from zhiling.errors import ZhilingError
from zhiling.pipeline.step import Encoder

WIDEST = 384
"""Columns that are held for many rows: 0.8 GB for a million."""
PROJECTED = 256
MOST_UNENCODABLE = 10
"""Rows that an encoder may fail on before it counts as broken altogether."""


def encoded(texts: Texts, encoder: Encoder, table_rows: int | None = None) -> Vectors:
    """Vectors of length 1 (0 for an empty text), shape (n, dimension).

    Up to 16,384 rows they are as the encoder gives them, float32. Of a larger table they are held as float16,
    which moves a cosine by less than .001, and those of more than 384 columns are projected to 256 by random
    signs, which moves it by .06 on average (Johnson & Lindenstrauss 1984; Achlioptas 2003).

    Args:
        texts: one a row.
        encoder: the recipe's encoder.
        table_rows: rows of the table that these vectors are compared with; None: the texts are the table.
    """
    small = (len(texts) if table_rows is None else table_rows) <= EXACT_ROWS
    first = _block(texts, 0, encoder, small)
    answer: Vectors = np.empty((len(texts), first.shape[1]), dtype=np.float32 if small else np.float16)
    answer[: len(first)] = first
    for start in range(len(first), len(texts), BLOCK_ROWS):
        answer[start : start + BLOCK_ROWS] = _block(texts, start, encoder, small)
    return answer


def _block(texts: Texts, start: int, encoder: Encoder, small: bool) -> Vectors:
    vectors = encoder.encode(texts.block(start))
    return vectors if small else _narrow(vectors)


def unencodable(texts: Texts, encoder: Encoder) -> Numbers:
    """Places of the texts that the encoder cannot encode, found by halving; none where it can encode all.

    Raises:
        ZhilingError, ValueError, RuntimeError: the encoder's, where it fails on more than ten texts.
    """
    found: list[int] = []
    for start in range(0, len(texts), BLOCK_ROWS):
        block = texts.block(start)
        for place in _failing(block, encoder, 0):
            found.append(start + place)
            if len(found) > MOST_UNENCODABLE:
                encoder.encode([block[place]])
    return np.array(found, dtype=np.int64)


ENCODER_ERRORS = (ZhilingError, ValueError, RuntimeError)
"""What an encoder raises for a text that it cannot take."""


def _failing(texts: list[str], encoder: Encoder, first: int) -> Iterator[int]:
    try:
        encoder.encode(texts)
    except ENCODER_ERRORS:
        half = len(texts) // 2
        if not half:
            yield first
            return
        yield from _failing(texts[:half], encoder, first)
        yield from _failing(texts[half:], encoder, first + half)


def _narrow(vectors: Vectors) -> Vectors:
    if vectors.shape[1] <= WIDEST:
        return vectors
    signs = np.random.default_rng(0).choice(
        np.array([-1, 1], dtype=np.float32), size=(vectors.shape[1], PROJECTED)
    )
    projected = cosines(vectors, signs.T)
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    return projected / np.where(lengths == 0, 1, lengths).astype(np.float32)
