"""How many letters of each script a text has, counted on UTF-8 buffers."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.buffers import Utf8, blocks, utf8

PATTERNS = {
    "han": r"\p{Han}",
    "latin": r"\p{Latin}",
    "kana": r"\p{Hiragana}|\p{Katakana}|\x{30FC}",
    "hangul": r"\p{Hangul}",
    "cyrillic": r"\p{Cyrillic}",
    "arabic": r"\p{Arabic}",
    "greek": r"\p{Greek}",
    "hebrew": r"\p{Hebrew}",
    "devanagari": r"\p{Devanagari}",
    "thai": r"\p{Thai}",
}
SCRIPTS = (*PATTERNS, "other")
"""Names of the scripts, in the order of the columns of `letter_counts`; `other` is any further one."""

_HAN_PLANES, _BEYOND = 0x20000, 0x40000
_NONE = len(SCRIPTS)  # digits, punctuation, symbols, emoji


def letter_counts(text: pl.Series) -> NDArray[np.int64]:
    """Letters of each text by script, shape (rows, len(SCRIPTS)); digits, signs and emoji are none."""
    parts = [_counts(part) for part in blocks(utf8(text))]
    return np.concatenate([np.zeros((0, len(SCRIPTS)), dtype=np.int64), *parts])


def _counts(part: Utf8) -> NDArray[np.int64]:
    rows, kinds = len(part.offsets) - 1, len(SCRIPTS) + 1
    script = np.full(len(part.data), _NONE, dtype=np.uint8)
    plain = part.data < 0x80
    script[plain] = _of_code_point()[part.data[plain]]
    first = np.flatnonzero(part.data >= 0xC0)
    script[first] = _of_code_point()[_code_points(part.data, first)]
    cells = np.repeat(np.arange(rows) * kinds, np.diff(part.offsets)) + script
    return np.bincount(cells, minlength=rows * kinds).reshape(rows, kinds)[:, :-1]


def _code_points(data: NDArray[np.uint8], first: NDArray[np.intp]) -> NDArray[np.int64]:
    """The code points of the characters of two to four bytes that begin at `first`."""
    lead = data[first]
    length = 2 + (lead >= 0xE0).astype(np.int64) + (lead >= 0xF0)
    points = lead.astype(np.int64) & (0x7F >> length)
    for step in range(1, 4):
        more = length > step
        points[more] = points[more] << 6 | (data[first[more] + step] & 0x3F)
    return np.minimum(points, _BEYOND)


@cache
def _of_code_point() -> NDArray[np.uint8]:
    """Script of each code point below 0x40000; the last entry stands for all above, which are no letters."""
    table = np.full(_BEYOND + 1, _NONE, dtype=np.uint8)
    points = np.array([point for point in range(_HAN_PLANES) if not 0xD800 <= point < 0xE000])
    letters = pl.Series([chr(point) for point in points.tolist()])
    is_letter = letters.str.contains(r"\p{L}").to_numpy()
    table[points[is_letter]] = SCRIPTS.index("other")
    for place, pattern in enumerate(PATTERNS.values()):
        table[points[is_letter & letters.str.contains(pattern).to_numpy()]] = place
    table[_HAN_PLANES:_BEYOND] = SCRIPTS.index("han")
    return table
