"""Compiled loops of normalisation, shingling, MinHash and overlap; import only by `zhiling.text.compiled`.

Each gives bit for bit what the numpy code of the module that calls it gives. The first call on a machine
compiles (some seconds); what was compiled is kept beside this file or in the user's cache.

Places are unsigned: a signed index is tested for being negative at each access, which made the loops half
as fast. Writing first and then moving on by 0 or 1 costs less than a branch that text cannot predict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from zhiling.text.characters import SINGLE, SPACE, SYMBOL, WORD

Function = TypeVar("Function", bound=Callable[..., Any])
_numba: Any = numba  # has no type stubs
Place = np.uint64
Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]

DEEP, DROPPED = -1, -2
"""Entries of the table of plain characters: folds with its neighbours only; vanishes."""

_0, _1, _2, _3, _6, _8 = Place(0), Place(1), Place(2), Place(3), Place(6), Place(8)
_LAST = Place(0x40000)
_LOW_SIX = Place(0x3F)
_TOKEN_BYTES = Place(64)
_BASE = np.uint64(0xD6E8FEB86659FD93)
_SHORT = np.uint64(0xA0761D6478BD642F)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_MOST = np.uint32(0xFFFFFFFF)

# The same byte eight times: for questions to eight bytes at once.
_ONES = np.uint64(0x0101010101010101)
_HIGH = _ONES * np.uint64(0x80)
_CASE = _ONES * np.uint64(0x20)
_A, _AFTER_Z = _ONES * np.uint64(ord("a")), _ONES * np.uint64(ord("z") + 1)
_NOUGHT, _AFTER_9 = _ONES * np.uint64(ord("0")), _ONES * np.uint64(ord("9") + 1)


def _compiled(function: Function) -> Function:
    return cast(Function, _numba.njit(cache=True, nogil=True)(function))


def _inlined(function: Function) -> Function:
    return cast(Function, _numba.njit(inline="always")(function))


@_inlined
def _mixed(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


@_inlined
def _length(lead: np.uint8) -> Place:
    """Bytes of the character beyond ASCII that begins with this byte."""
    return _2 if lead < 0xE0 else (_3 if lead < 0xF0 else Place(4))


@_inlined
def _point(data: Bytes, place: Place, length: Place) -> Place:
    """The code point of a character of two to four bytes; those that are never text are one, `_LAST`."""
    point = Place(data[place]) & (Place(0x7F) >> length)
    for step in range(_1, length):  # type: ignore[arg-type]
        point = (point << _6) | (Place(data[place + step]) & _LOW_SIX)
    return min(point, _LAST)


@_compiled
def collapse(
    data: Bytes, offsets: Offsets, plain: NDArray[np.int32], classes: NDArray[np.uint8], out: Bytes
) -> tuple[Offsets, NDArray[np.bool_]]:
    """Writes the normal form of each row into `out`; its offsets, and which rows need a deeper fold first.

    Args:
        data: the rows' bytes.
        offsets: where each row begins, and the last one ends.
        plain: the character that each code point becomes, or DEEP, or DROPPED.
        classes: class of each code point, asked for where it is DEEP.
        out: as long as `data`: no plain character is longer than what it stands for.
    """
    rows = len(offsets) - 1
    ends = np.zeros(rows + 1, dtype=np.int64)
    deep = np.zeros(rows, dtype=np.bool_)
    end = _0
    for row in range(rows):
        first = end
        gap = _0
        place, stop = Place(offsets[row]), Place(offsets[row + 1])
        while place < stop:
            byte = data[place]
            if byte < 0x80:
                value = plain[Place(byte)]
                said = Place(value != 0x20)
                out[end] = 0x20
                end += gap & said
                out[end] = value
                end += said
                gap = (said ^ _1) & Place(end > first)
                place += _1
                continue
            length = _length(byte)
            point = _point(data, place, length)
            value = plain[point]
            place += length
            if value == DEEP:
                deep[row] = True
                value = np.int32(0x20) if classes[point] == SPACE else np.int32(point)
            if value == 0x20:
                gap = Place(end > first)
            elif value != DROPPED:
                out[end] = 0x20
                end = _write(out, end + gap, Place(value))
                gap = _0
        ends[row + 1] = np.int64(end)
    return ends, deep


@_inlined
def _write(out: Bytes, place: Place, point: Place) -> Place:
    """Writes a code point as UTF-8; the place behind it."""
    if point < Place(0x80):
        out[place] = point
        return place + _1
    if point < Place(0x800):
        out[place] = Place(0xC0) | (point >> _6)
    else:
        if point < Place(0x10000):
            out[place] = Place(0xE0) | (point >> Place(12))
        else:
            out[place] = Place(0xF0) | (point >> Place(18))
            place += _1
            out[place] = Place(0x80) | ((point >> Place(12)) & _LOW_SIX)
        place += _1
        out[place] = Place(0x80) | ((point >> _6) & _LOW_SIX)
    out[place + _1] = Place(0x80) | (point & _LOW_SIX)
    return place + _2


@_inlined
def _word(data: Bytes, place: Place) -> np.uint64:
    """Eight bytes from `place` on as a little-endian number."""
    return (
        np.uint64(data[place])
        | (np.uint64(data[place + _1]) << _8)
        | (np.uint64(data[place + _2]) << np.uint64(16))
        | (np.uint64(data[place + _3]) << np.uint64(24))
        | (np.uint64(data[place + Place(4)]) << np.uint64(32))
        | (np.uint64(data[place + Place(5)]) << np.uint64(40))
        | (np.uint64(data[place + _6]) << np.uint64(48))
        | (np.uint64(data[place + Place(7)]) << np.uint64(56))
    )


@_inlined
def _letters(word: np.uint64) -> Place:
    """How many of the leading bytes of a word are ASCII letters or digits, 0..8."""
    low = word | _HIGH  # so that no subtraction borrows from the next byte
    folded = low | _CASE
    found = (folded - _A) & ~(folded - _AFTER_Z)
    found |= (low - _NOUGHT) & ~(low - _AFTER_9)
    other = ~(found & ~word) & _HIGH
    if other == _0:
        return _8
    return ((((other & (~other + _1)) - _1) & _ONES) * _ONES >> np.uint64(56)) - _1


@_inlined
def _hashed(data: Bytes, start: Place, end: Place) -> np.uint64:
    """The hash of a token, eight bytes at a time; eight beyond its end must be readable."""
    length = end - start
    value = _word(data, start)
    if length < _8:
        value &= (_1 << (_8 * length)) - _1
    value = _mixed(value ^ (length * _GOLDEN))
    place = start + _8
    while place < end:
        word = _word(data, place)
        if end - place < _8:
            word &= (_1 << (_8 * (end - place))) - _1
        value = _mixed(value ^ word)
        place += _8
    return value


@_inlined
def _token_end(data: Bytes, start: Place, stop: Place, classes: NDArray[np.uint8]) -> Place:
    """Where the token that begins at `start` ends (see `zhiling.text.tokens`); `start` where none begins."""
    place = start
    before = SPACE
    while place < stop:
        byte = data[place]
        if byte < 0x80:
            number = _0 if before == SINGLE else min(_letters(_word(data, place)), stop - place)
            if number == _0:
                break
            place += number
            before = WORD
            if number < _8 and (place >= stop or data[place] < 0x80):
                break
            continue
        length = _length(byte)
        kind = classes[_point(data, place, length)]
        begins = kind == SINGLE or (kind == WORD and before == SINGLE)
        if kind <= SYMBOL or (begins and place > start):
            break
        before = kind
        place += length
    return place


@_compiled
def windows(
    data: Bytes, offsets: Offsets, classes: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.uint64], Offsets]:
    """Hash of each window of `size` tokens and where each row's begin: what `grams` gives for `tokenise`.

    `data` has eight bytes more than the rows.
    """
    rows = len(offsets) - 1
    # A token takes two bytes: one letter and what separates it, or a character beyond ASCII.
    hashes = np.empty((offsets[rows] + rows) // 2 + 1, dtype=np.uint64)
    ends = np.zeros(rows + 1, dtype=np.int64)
    ring = np.zeros(size, dtype=np.uint64)
    leaving = _1
    for _ in range(size):
        leaving *= _BASE
    end = _0
    for row in range(rows):
        count, slot, rolling = _0, _0, _0
        ring[:] = 0
        place, stop = Place(offsets[row]), Place(offsets[row + 1])
        while place < stop:
            token_end = _token_end(data, place, stop, classes)
            if token_end == place:
                place += _1 if data[place] < 0x80 else _length(data[place])
            while place < token_end:
                cut = min(place + _TOKEN_BYTES, token_end)
                token = _hashed(data, place, cut)
                place = cut
                rolling = rolling * _BASE + token - ring[slot] * leaving
                ring[slot] = token
                slot = (slot + _1) * Place(slot + _1 != Place(size))
                count += _1
                hashes[end] = _mixed(rolling)
                end += Place(count >= Place(size))
        if _0 < count < Place(size):
            whole = count * _SHORT
            for number in range(count):  # type: ignore[arg-type]
                whole = whole * _BASE + ring[number]
            hashes[end] = _mixed(whole)
            end += _1
        ends[row + 1] = np.int64(end)
    return hashes[:end], ends


@_compiled
def band_keys(
    hashes: NDArray[np.uint32],
    offsets: Offsets,
    rows: NDArray[np.int64],
    factors: NDArray[np.uint32],
    count: int,
) -> NDArray[np.uint64]:
    """The key of each of `count` bands of each of the rows (none empty), shape (bands, rows)."""
    permutations = len(factors)
    width = permutations // count
    keys = np.empty((count, len(rows)), dtype=np.uint64)
    minima = np.empty(permutations, dtype=np.uint32)
    for number, row in enumerate(rows):
        minima[:] = _MOST
        for place in range(offsets[row], offsets[row + 1]):
            value = hashes[place]
            for each in range(permutations):
                minima[each] = min(minima[each], np.uint32(value * factors[each]))
        for band in range(count):
            key = _0
            for each in range(band * width, (band + 1) * width):
                key = _mixed(key * _GOLDEN + np.uint64(minima[each]))
            keys[band, number] = key
    return keys


@_compiled
def common(
    hashes: NDArray[np.uint32], offsets: Offsets, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Size of the intersection of each pair of rows."""
    found = np.zeros(len(left), dtype=np.int64)
    for pair in range(len(left)):
        first, first_end = Place(offsets[left[pair]]), Place(offsets[left[pair] + 1])
        second, second_end = Place(offsets[right[pair]]), Place(offsets[right[pair] + 1])
        shared = 0
        while first < first_end and second < second_end:
            one, other = hashes[first], hashes[second]
            shared += one == other
            first += Place(one <= other)
            second += Place(other <= one)
        found[pair] = shared
    return found
