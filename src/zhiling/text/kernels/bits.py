"""What the compiled loops share: numbers without a sign, eight bytes at once, the mixing of hashes.

Places are unsigned: a signed index is tested for being negative at each access, which made the loops half
as fast. What stands here becomes part of each loop that calls it, and numba keeps a loop until the loop's own
file changes: after an edit here remove `__pycache__` beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
_numba: Any = numba  # has no type stubs
Place = np.uint64
Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]
Hashes = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
LAST_POINT = Place(0x40000)
LOW_SIX = Place(0x3F)

# The same byte eight times: for questions to eight bytes at once.
ONES = np.uint64(0x0101010101010101)
HIGH = ONES * np.uint64(0x80)
CASE = ONES * np.uint64(0x20)
A, AFTER_Z = ONES * np.uint64(ord("a")), ONES * np.uint64(ord("z") + 1)
NOUGHT, AFTER_9 = ONES * np.uint64(ord("0")), ONES * np.uint64(ord("9") + 1)
# Moves the highest bit of byte i to bit 56 + i.
GATHER = np.uint64(0x0102040810204080)

_0, _1, _2, _3, _6, _8 = Place(0), Place(1), Place(2), Place(3), Place(6), Place(8)


def compiled(function: Function) -> Function:
    """The function as machine code, kept for the next process."""
    return cast(Function, _numba.njit(cache=True, nogil=True)(function))


def inlined(function: Function) -> Function:
    """The function as a part of the compiled ones that call it."""
    return cast(Function, _numba.njit(inline="always")(function))


@inlined
def mixed(value: np.uint64) -> np.uint64:
    """What `zhiling.text.tokens.mix` makes of one value."""
    value = (value ^ (value >> np.uint64(30))) * FIRST
    value = (value ^ (value >> np.uint64(27))) * SECOND
    return value ^ (value >> np.uint64(31))


@inlined
def length_of(lead: np.uint8) -> Place:
    """Bytes of the character beyond ASCII that begins with this byte."""
    return _2 if lead < 0xE0 else (_3 if lead < 0xF0 else Place(4))


@inlined
def point_at(data: Bytes, place: Place, length: Place) -> Place:
    """The code point of a character of two to four bytes; those that are never text are one, `LAST_POINT`."""
    point = Place(data[place]) & (Place(0x7F) >> length)
    for step in range(_1, length):  # type: ignore[arg-type]
        point = (point << _6) | (Place(data[place + step]) & LOW_SIX)
    return min(point, LAST_POINT)


@inlined
def word_at(data: Bytes, place: Place) -> np.uint64:
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


@inlined
def first_bytes(word: np.uint64, number: Place) -> np.uint64:
    """The word with all but its first 1..8 bytes zero."""
    return word & (~_0 >> (Place(64) - _8 * number))


@inlined
def letters_in(word: np.uint64) -> np.uint64:
    """The highest bit of each byte that is an ASCII letter or digit."""
    low = word | HIGH  # so that no subtraction borrows from the next byte
    folded = low | CASE
    found = (folded - A) & ~(folded - AFTER_Z)
    found |= (low - NOUGHT) & ~(low - AFTER_9)
    return found & ~word & HIGH


@inlined
def is_ascii(data: Bytes, start: Place, stop: Place) -> bool:
    """Whether no byte of the row begins a character beyond ASCII."""
    joined = np.uint8(0)
    for place in range(start, stop):  # type: ignore[arg-type]
        joined |= data[place]
    return bool(joined < 0x80)
