"""Rolling hashes of windows of tokens: what shingles and the n-gram index are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import Utf8, blocks, offsets_of, utf8
from zhiling.text.characters import class_of_code_point
from zhiling.text.compiled import kernels
from zhiling.text.tokens import Tokens, Unit, mix, tokenise_block

_BASE = np.uint64(0xD6E8FEB86659FD93)
_SHORT = np.uint64(0xA0761D6478BD642F)
_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True)
class Grams:
    """Window hashes of some rows, in text order: uint64; row i is `hashes[offsets[i]:offsets[i + 1]]`."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]


def text_grams(text: pl.Series | Iterable[Utf8], size: int, unit: Unit = "token") -> Iterator[Grams]:
    """The windows of `size` units of each row of normalised text, in order, by blocks of rows.

    `text` is what `normalise` or `normal_form` gives.
    """
    for part in blocks(utf8(text), _BLOCK_BYTES) if isinstance(text, pl.Series) else text:
        fast = kernels(len(part.data)) if unit == "token" else None
        if fast is not None:
            yield _compiled(part, size, fast)
            continue
        for block in blocks(part):
            yield grams(tokenise_block(block, unit), size)


def _compiled(part: Utf8, size: int, fast: ModuleType) -> Grams:
    data = np.concatenate([part.data, np.zeros(fast.SLACK_BYTES, dtype=np.uint8)])
    hashes = np.empty(fast.most_windows(part.offsets), dtype=np.uint64)
    ends = fast.windows(data, part.offsets, class_of_code_point(), size, False, hashes)
    return Grams(hashes[: ends[-1]], ends)


def grams(tokens: Tokens, size: int) -> Grams:
    """Hash of each window of `size` tokens; a shorter row has one window, the whole; an empty row none.

    A short row's window never equals a window of full size.
    """
    counts = np.diff(tokens.offsets)
    values = np.zeros(len(tokens.hashes), dtype=np.uint64)
    full = max(len(values) - size + 1, 0)
    for step in range(size if full else 0):
        values[:full] *= _BASE
        values[:full] += tokens.hashes[step : step + full]
    valid = np.ones(len(values), dtype=np.bool_)
    ends = tokens.offsets[1:][counts > 0]
    for step in range(1, size):
        valid[np.maximum(ends - step, 0)] = False
    short = np.flatnonzero((counts > 0) & (counts < size))
    starts = tokens.offsets[:-1][short]
    values[starts] = _whole(tokens.hashes, starts, counts[short])
    valid[starts] = True
    # The first window of the first row can be marked invalid by a row end less than `size` tokens away only
    # if that row is short, and then it was set just above.
    windows = np.where(counts < size, np.minimum(counts, 1), counts - size + 1)
    return Grams(mix(values[valid]), offsets_of(windows))


def _whole(
    hashes: NDArray[np.uint64], starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """One hash over all tokens of each short row."""
    whole = counts.astype(np.uint64) * _SHORT
    for step in range(int(counts.max(initial=0))):
        active = counts > step
        whole[active] = whole[active] * _BASE + hashes[starts[active] + step]
    return whole
