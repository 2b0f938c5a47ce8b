"""Normalisation: bit for bit what `zhiling.text.normalise` computes.

Writing first and then moving on by 0 or 1 costs less than a branch that text cannot predict.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zhiling.text.characters import SPACE
from zhiling.text.kernels.bits import (
    LOW_SIX,
    Bytes,
    Offsets,
    Place,
    compiled,
    inlined,
    is_ascii,
    length_of,
    point_at,
)  # fmt: skip

DEEP, DROPPED = -1, -2
"""Entries of the table of plain characters: folds with its neighbours only; vanishes."""

_0, _1, _2, _6 = Place(0), Place(1), Place(2), Place(6)


@compiled
def collapse(
    data: Bytes,
    offsets: Offsets,
    plain: NDArray[np.int32],
    classes: NDArray[np.uint8],
    as_is: bool,
    out: Bytes,
) -> tuple[Offsets, NDArray[np.bool_]]:
    """Writes the normal form of each row into `out`; its offsets, and which rows need a deeper fold first.

    Args:
        data: the rows' bytes.
        offsets: where each row begins, and the last one ends.
        plain: the character that each code point becomes, or DEEP, or DROPPED.
        classes: class of each code point, asked for where it is DEEP.
        as_is: whether rows of ASCII are only copied: enough for `windows`, which folds them.
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
        if as_is and is_ascii(data, place, stop):
            for step in range(stop - place):
                out[end + step] = data[place + step]
            end += stop - place
            place = stop
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
            length = length_of(byte)
            point = point_at(data, place, length)
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


@inlined
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
            out[place] = Place(0x80) | ((point >> Place(12)) & LOW_SIX)
        place += _1
        out[place] = Place(0x80) | ((point >> _6) & LOW_SIX)
    out[place + _1] = Place(0x80) | (point & LOW_SIX)
    return place + _2
