"""MinHash, buckets and overlap: bit for bit what `zhiling.text.minhash` and `overlap` compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zhiling.text.kernels.bits import GOLDEN, Hashes, Offsets, Place, compiled, mixed

_0, _1, _2, _3, _4 = Place(0), Place(1), Place(2), Place(3), Place(4)
_MOST = np.uint32(0xFFFFFFFF)
_LANES = 16  # 32-bit numbers of the widest registers


@compiled
def band_keys(
    hashes: NDArray[np.uint32],
    offsets: Offsets,
    rows: NDArray[np.int64],
    factors: NDArray[np.uint32],
    count: int,
) -> Hashes:
    """The key of each of `count` bands of each of the rows (none empty), shape (bands, rows)."""
    width = len(factors) // count
    # The first of all bands, then the second of all, …: so one instruction mixes the keys of several bands.
    # Filled up to whole registers: the six left over of 126 cost as much as the rest.
    spread = np.zeros(-(-len(factors) // _LANES) * _LANES, dtype=np.uint32)
    for band in range(count):
        for each in range(width):
            spread[each * count + band] = factors[band * width + each]
    keys = np.empty((count, len(rows)), dtype=np.uint64)
    minima = np.empty_like(spread)
    mixing = np.empty(count, dtype=np.uint64)
    for number, row in enumerate(rows):
        _minima(hashes, Place(offsets[row]), Place(offsets[row + 1]), spread, minima)
        mixing[:] = _0
        for each in range(width):
            for band in range(count):
                mixing[band] = mixed(mixing[band] * GOLDEN + np.uint64(minima[each * count + band]))
        keys[:, number] = mixing
    return keys


@compiled
def _minima(
    hashes: NDArray[np.uint32],
    start: Place,
    stop: Place,
    factors: NDArray[np.uint32],
    minima: NDArray[np.uint32],
) -> None:
    """Writes the smallest product of the hashes from start to stop with each factor.

    Four hashes at once: to read and write the minima costs as much as a product.
    """
    minima[:] = _MOST
    place, size = start, Place(len(factors))
    while place + _4 <= stop:
        first, second = hashes[place], hashes[place + _1]
        third, fourth = hashes[place + _2], hashes[place + _3]
        for each in range(size):  # type: ignore[arg-type]
            factor = factors[each]
            left = min(np.uint32(first * factor), np.uint32(second * factor))
            right = min(np.uint32(third * factor), np.uint32(fourth * factor))
            minima[each] = min(minima[each], left, right)
        place += _4
    while place < stop:
        value = hashes[place]
        for each in range(size):  # type: ignore[arg-type]
            minima[each] = min(minima[each], np.uint32(value * factors[each]))
        place += _1


@compiled
def repeated(keys: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the keys that stand more than once and a number for each such key, in order of both."""
    heads = _first_places(keys)
    number, start = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
    for head in heads:
        if head != 0:
            start[Place(head) - _1] += 1
    groups, total = 0, 0
    for place in range(Place(len(keys))):  # type: ignore[arg-type]
        if heads[place] == place + _1:
            number[place] = groups
            groups += 1
            start[place], total = total, total + start[place]
    places, numbers = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    for place in range(Place(len(keys))):  # type: ignore[arg-type]
        if heads[place] != 0:
            head = Place(heads[place]) - _1
            places[start[head]], numbers[start[head]] = place, number[head]
            start[head] += 1
    return places, numbers


@compiled
def _first_places(keys: Hashes) -> NDArray[np.uint32]:
    """For each key that stands more than once one plus the place where it comes first; 0 for the others."""
    bits = _3
    while (_1 << bits) < Place(4 * len(keys)):
        bits += _1
    last = (_1 << bits) - _1
    table = np.zeros(1 << bits, dtype=np.uint32)
    first = np.zeros(len(keys), dtype=np.uint32)
    for place in range(Place(len(keys))):  # type: ignore[arg-type]
        key = keys[place]
        slot = key >> (Place(64) - bits)
        while table[slot] != 0 and keys[Place(table[slot]) - _1] != key:
            slot = (slot + _1) & last
        head = table[slot]
        if head == 0:
            table[slot] = place + _1
        else:
            first[place] = first[Place(head) - _1] = head
    return first


@compiled
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
