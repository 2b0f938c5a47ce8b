"""From bytes to hashed windows of tokens: bit for bit what `zhiling.text.tokens` and `grams` compute.

Each row is split into tokens, all tokens are mixed, and windows are made of them: three short loops over a
row that lies in the processor's nearest cache, of which the last two work on eight numbers at once. Where a
row is ASCII, the first looks at 64 bytes at once: to find the end of one token before the next begins took
twice as long, as each step then waits for the one before.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numba.cpython.unsafe import numbers
from numpy.typing import NDArray

from zhiling.text.characters import SINGLE, SPACE, SYMBOL, WORD
from zhiling.text.kernels.bits import (
    CASE,
    GATHER,
    GOLDEN,
    HIGH,
    Bytes,
    Hashes,
    Offsets,
    Place,
    compiled,
    first_bytes,
    inlined,
    is_ascii,
    length_of,
    letters_in,
    mixed,
    point_at,
    word_at,
)  # fmt: skip

SLACK_BYTES = 64
"""So many bytes behind the last row must be readable."""

_0, _1, _2, _8 = Place(0), Place(1), Place(2), Place(8)
_56, _63, _64 = Place(56), Place(63), Place(64)
_TOKEN_BYTES = _64
_BASE = np.uint64(0xD6E8FEB86659FD93)
_SHORT = np.uint64(0xA0761D6478BD642F)
_lowest_bit: Any = cast(Any, numbers).trailing_zeros


@compiled
def windows(
    data: Bytes, offsets: Offsets, classes: NDArray[np.uint8], size: int, folds: bool, out: NDArray[Any]
) -> Offsets:
    """Writes the hash of each window of `size` tokens to `out`; where each row's begin.

    Args:
        data: the rows' bytes and SLACK_BYTES.
        offsets: where each row begins, and the last one ends.
        classes: class of each code point.
        size: tokens of a window.
        folds: whether ASCII rows are taken in lower case.
        out: uint64, or uint32 for the upper half of each hash; `most_windows` long.
    """
    rows = len(offsets) - 1
    ends = np.zeros(rows + 1, dtype=np.int64)
    longest = _0
    for row in range(rows):
        longest = max(longest, Place(offsets[row + 1] - offsets[row]))
    tokens = np.empty(longest // _2 + _2, dtype=np.uint64)
    edges = np.empty(longest + _2, dtype=np.uint64)
    scratch = np.empty_like(tokens)
    case = CASE if folds else _0
    shift = _64 - _8 * Place(out.itemsize)
    end = _0
    for row in range(rows):
        start, stop = Place(offsets[row]), Place(offsets[row + 1])
        if is_ascii(data, start, stop):
            count = _split_ascii(data, start, stop, case, edges, tokens)
        else:
            count = _split(data, start, stop, classes, tokens)
        end += _write(tokens, count, Place(size), shift, scratch, out[end:])
        ends[row + 1] = np.int64(end)
    return ends


def most_windows(offsets: Offsets) -> int:
    """As many windows as the rows can have: a token takes two bytes, itself and a separator or a second."""
    return int(offsets[-1] - offsets[0] + len(offsets)) // 2 + 1


@compiled
def _write(
    tokens: Hashes, count: Place, size: Place, shift: Place, scratch: Hashes, out: NDArray[Any]
) -> Place:
    """Writes the windows of a row's tokens (not yet mixed) to `out`; how many there are."""
    for each in range(count):  # type: ignore[arg-type]
        tokens[each] = mixed(tokens[each])
    if count < size:
        whole = count * _SHORT
        for each in range(count):  # type: ignore[arg-type]
            whole = whole * _BASE + tokens[each]
        out[:1] = mixed(whole) >> shift
        return Place(count > _0)
    number = count - size + _1
    for each in range(number):  # type: ignore[arg-type]
        scratch[each] = tokens[each]
    for step in range(_1, size):  # type: ignore[arg-type]
        for each in range(number):  # type: ignore[arg-type]
            scratch[each] = scratch[each] * _BASE + tokens[each + step]
    for each in range(number):  # type: ignore[arg-type]
        out[each] = mixed(scratch[each]) >> shift
    return number


@compiled
def _split_ascii(
    data: Bytes, start: Place, stop: Place, case: np.uint64, edges: Hashes, tokens: Hashes
) -> Place:
    """Writes the tokens of a row of ASCII, not yet mixed for the last time; how many there are."""
    count = _edges(data, start, stop, edges) >> _1
    number = _0
    for each in range(count):  # type: ignore[arg-type]
        first, end = edges[_2 * each], edges[_2 * each + _1]
        length = end - first
        if length <= _8:
            tokens[number] = first_bytes(word_at(data, first) | case, length) ^ (length * GOLDEN)
            number += _1
        else:
            number = _cut(data, first, end, case, tokens, number)
    return number


@compiled
def _edges(data: Bytes, start: Place, stop: Place, edges: Hashes) -> Place:
    """Writes where runs of ASCII letters and digits begin and end, in turns; how many of these there are."""
    number = _0
    before = _0
    for base in range(start, stop, _64):  # type: ignore[arg-type]
        inside = _0
        for eighth in range(_0, _64, _8):  # type: ignore[arg-type]
            found = letters_in(word_at(data, Place(base + eighth)))
            inside |= ((found >> Place(7)) * GATHER >> _56) << eighth
        if stop - base < _64:
            inside &= (_1 << (stop - base)) - _1
        changes = inside ^ ((inside << _1) | before)
        before = inside >> _63
        while changes:
            edges[number] = base + Place(_lowest_bit(changes))
            number += _1
            changes &= changes - _1
    edges[number] = stop
    return number + (number & _1)


@inlined
def _cut(data: Bytes, start: Place, end: Place, case: np.uint64, tokens: Hashes, number: Place) -> Place:
    """Writes a token, cut every 64 bytes; the place behind it. None if it is empty."""
    while start < end:
        cut = min(start + _TOKEN_BYTES, end)
        tokens[number] = _unmixed(data, start, cut, case)
        number += _1
        start = cut
    return number


@inlined
def _unmixed(data: Bytes, start: Place, end: Place, case: np.uint64) -> np.uint64:
    """The hash of a token before it is mixed for the last time."""
    length = end - start
    value = first_bytes(word_at(data, start) | case, min(length, _8)) ^ (length * GOLDEN)
    for place in range(start + _8, end, _8):  # type: ignore[arg-type]
        more = word_at(data, Place(place)) | case
        value = mixed(value) ^ first_bytes(more, min(end - place, _8))
    return value


@compiled
def _split(data: Bytes, start: Place, stop: Place, classes: NDArray[np.uint8], tokens: Hashes) -> Place:
    """Writes the tokens of any row, not yet mixed for the last time; how many there are."""
    number = _0
    place = start
    before = np.uint8(SPACE)
    while place < stop:
        length, kind = _1, np.uint8(SPACE)
        if data[place] < 0x80:
            letters = min(_leading(letters_in(word_at(data, place))), stop - place)
            if letters > _0:
                length, kind = letters, np.uint8(WORD)
        else:
            length = length_of(data[place])
            kind = classes[point_at(data, place, length)]
        if kind <= SYMBOL or kind == SINGLE or (kind == WORD and before == SINGLE):
            number = _cut(data, start, place, _0, tokens, number)
            start = place
        place += length
        if kind <= SYMBOL:
            start = place
        before = kind
    return _cut(data, start, stop, _0, tokens, number)


@inlined
def _leading(letters: np.uint64) -> Place:
    """How many of the first bytes have their highest bit set, 0..8."""
    other = letters ^ HIGH
    return _8 if other == _0 else Place(_lowest_bit(other)) >> Place(3)
