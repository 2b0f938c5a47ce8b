"""The class of every character, as one table that normalisation and tokenisation share.

A word is a run of letters and digits; scripts written without spaces between words (Han, kana, Hangul, Thai,
…) and emoji give one token per character, so that a window of five tokens is five words of English and five
characters of Chinese without asking for the language first.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

SPACE, SYMBOL, WORD, SINGLE, SINGLE_TAIL, MARK = range(6)
"""Separator, ASCII symbol, part of a word, a token by itself, its later bytes, joins the token before it."""

SPACE_PATTERN = r"[\p{P}\p{Z}\p{C}\p{Sk}]"
UNSPACED_PATTERN = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\p{Yi}\x{30FC}"
    r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)
UNSPACED_RANGES = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""For the brackets of a pattern of `re`: characters of scripts without spaces; Korean has spaces."""

# Joiners, soft hyphens, direction marks and variation selectors change how text looks, not what it says.
IGNORED_PATTERN = r"[\p{Cf}\x{180B}-\x{180D}\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]+"

_HAN_PLANES = 0x20000
_BEYOND = 0x40000
_CONTINUATION = 255


@cache
def class_of_code_point() -> NDArray[np.uint8]:
    """Class of each code point below 0x40000; entry 0x40000 stands for all above, which are never text."""
    # Surrogates cannot stand in a string; their entries stay SPACE and are never asked for.
    points = np.r_[0x80:0xD800, 0xE000:_HAN_PLANES].astype("<u4")
    # All characters as one text: a fourth of the time that a column of single characters takes.
    letters = pl.Series([points.tobytes().decode("utf-32-le")])
    found = np.full(len(points), WORD, dtype=np.uint8)
    for pattern, kind in (
        (r"\p{S}", SINGLE),
        (UNSPACED_PATTERN, SINGLE),
        (r"\p{M}", MARK),
        (SPACE_PATTERN, SPACE),
    ):
        marked = letters.str.replace_all(pattern, "\0")[0].encode("utf-32-le")
        found[np.frombuffer(marked, dtype="<u4") == 0] = kind
    table = np.full(_BEYOND + 1, SPACE, dtype=np.uint8)
    table[:0x80] = [_ascii_class(byte) for byte in range(0x80)]
    table[points] = found
    table[_HAN_PLANES:_BEYOND] = SINGLE
    return table


def _ascii_class(byte: int) -> int:
    character = chr(byte)
    if character.isalnum():
        return WORD
    return SYMBOL if character in "$+<=>|~" else SPACE


@cache
def _class_of_byte() -> bytes:
    return bytes(_ascii_class(byte) if byte < 0x80 else _CONTINUATION for byte in range(256))


def byte_classes(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class of each byte of valid UTF-8 text, shape as `data`.

    The first byte of a character has its class; its later bytes repeat it, but for SINGLE they are
    SINGLE_TAIL, so that a SINGLE byte always begins a token.
    """
    classes = np.frombuffer(bytearray(data.tobytes().translate(_class_of_byte())), dtype=np.uint8)
    first = np.flatnonzero(data >= 0xC0)
    if not first.size:
        return classes
    lead = data[first]
    for length, chosen in (
        (2, first[lead < 0xE0]),
        (3, first[(lead >= 0xE0) & (lead < 0xF0)]),
        (4, first[lead >= 0xF0]),
    ):
        if chosen.size:
            _classify(data, classes, chosen, length)
    return classes


def _classify(
    data: NDArray[np.uint8], classes: NDArray[np.uint8], first: NDArray[np.intp], length: int
) -> None:
    point = data[first].astype(np.int32) & (0x7F >> length)
    for step in range(1, length):
        point <<= 6
        point |= data[first + step] & 0x3F
    kind = class_of_code_point()[np.minimum(point, _BEYOND)]
    classes[first] = kind
    kind[kind == SINGLE] = SINGLE_TAIL
    for step in range(1, length):
        classes[first + step] = kind
