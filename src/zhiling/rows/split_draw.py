"""Components drawn into parts: each by a hash of its own identity, then as few moves as keep the strata even."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

PARTS = ("train", "dev", "test")
TRAIN, DEV, TEST = range(3)

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Shares such as .1 are not exact: 30 · .1 must count as 3.
_SLACK = 1e-9


@dataclass(frozen=True)
class Shares:
    """Share of all rows that each part should get; they sum up to 1."""

    train: float
    dev: float
    test: float

    def of(self, part: int) -> float:
        """The share of a part by its number."""
        return (self.train, self.dev, self.test)[part]

    @property
    def rest(self) -> int:
        """The part that takes what the others leave: train, unless it is to be empty."""
        return TRAIN if self.train else TEST if self.test >= self.dev else DEV


@dataclass(frozen=True)
class Components:
    """What is drawn: all arrays have one value per component."""

    identity: Sequence[str]
    size: Integers
    """Rows."""
    fixed: Integers
    """The part that it has already, -1 for none."""
    levels: tuple[Integers, ...]
    """Numbers of its stratum, from the finest strata to all rows as one; empty where nothing is stratified."""

    @classmethod
    def of(cls, table: pl.DataFrame, strata: Sequence[str]) -> Self:
        """From a frame with `identity`, `size`, `fixed` and the columns of the strata."""
        levels = [_numbers(table, strata[:count]) for count in range(len(strata), -1, -1)] if strata else []
        size, fixed = (table[name].cast(pl.Int64).to_numpy() for name in ("size", "fixed"))
        return cls(table["identity"].to_list(), size, fixed, tuple(levels))


@dataclass(frozen=True)
class Assigned:
    """The part (number) of each component, and which went to the rest for their size."""

    part: Integers
    oversized: Flags


def assign(components: Components, shares: Shares, seed: int) -> Assigned:
    """The part of each component.

    The draw: u = hash(seed, identity) in [0, 1); test below its share, then dev, then train. A component with more
    rows than the smallest share of dev and test (and more than one) goes to train (to the largest part if train's
    share is 0). Then, for each level of strata, the finest first, and for test and dev: where the rows of a part in a
    stratum are not the share of the stratum rounded up or down, the components whose draw was nearest to the boundary
    change places with train, as far as their sizes allow. Components with a fixed part never move. Last, a part with
    a share that got nothing takes the smallest free component of train, unless train would be left without any.

    Without strata the draw stands as it is, so a part has its share on average only, and no component's part depends
    on any other component (but for that last rule and the limit of size).
    """
    free = components.fixed < 0
    draw = _draws(components.identity, seed)
    part = np.where(draw < shares.test, TEST, np.where(draw < shares.test + shares.dev, DEV, TRAIN))
    others = [each for each in (TEST, DEV) if each != shares.rest and shares.of(each)]
    rows = int(components.size.sum())
    limit = max(min((shares.of(each) * rows for each in others), default=rows), 1)
    oversized = free & (components.size > limit + _SLACK)
    part[(part == TRAIN) & (shares.rest != TRAIN) | oversized] = shares.rest
    part[~free] = components.fixed[~free]
    table = _Table(components, draw, free & ~oversized, part, shares.rest)
    for level in components.levels:
        for other in others:
            table.even(level, other, shares.of(other))
    for other in others:
        table.fill(other)
    return Assigned(part, oversized)


class _Table:
    """The parts while they are evened out; `part` is changed in place."""

    def __init__(self, components: Components, draw: NDArray[np.float64], movable: Flags, part: Integers, rest: int) -> None:
        self.size, self.draw, self.movable, self.part, self.rest = components.size, draw, movable, part, rest
        self.cell = components.levels[0] if components.levels else np.zeros(len(part), dtype=np.int64)

    def even(self, stratum: Integers, part: int, share: float) -> None:
        """Brings the rows of `part` in each stratum to its share, rounded up or down, as far as sizes allow."""
        have, due = self._counts(stratum, part, share)
        above = have > np.ceil(due - _SLACK)
        below = have < np.floor(due + _SLACK)
        cell_have, cell_due = self._counts(self.cell, part, share)
        for number, members in _members(stratum, above | below):
            leaving = members[self.movable[members] & (self.part[members] == part)]
            entering = members[self.movable[members] & (self.part[members] == self.rest)]
            rows = float(have[number])
            if above[number]:
                order = self._order(leaving, cell_have > cell_due, nearest_last=True)
                rows = self._move(order, rows, float(due[number]), -1, self.rest)
            order = self._order(entering, cell_have < cell_due, nearest_last=False)
            self._move(order, rows, float(due[number]), 1, part)

    def fill(self, part: int) -> None:
        """Gives an empty part the smallest movable component of the rest, if the rest keeps one."""
        giving = np.flatnonzero(self.movable & (self.part == self.rest))
        if not (self.part == part).any() and np.count_nonzero(self.part == self.rest) > 1 and giving.size:
            self.part[giving[np.lexsort((self.draw[giving], self.size[giving]))[0]]] = part

    def _counts(self, stratum: Integers, part: int, share: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows of `part`, and rows due to it, in each stratum."""
        total = int(stratum.max(initial=-1)) + 1
        have = np.bincount(stratum, self.size * (self.part == part), total)
        return have, share * np.bincount(stratum, self.size, total)

    def _order(self, chosen: Integers, preferred: Flags, *, nearest_last: bool) -> Integers:
        """The components by draw, but first one of each fine stratum that gains by the move itself."""
        chosen = chosen[np.argsort(-self.draw[chosen] if nearest_last else self.draw[chosen], kind="stable")]
        first = np.zeros(len(chosen), dtype=np.bool_)
        first[np.unique(self.cell[chosen], return_index=True)[1]] = True
        return chosen[np.argsort(~(first & preferred[self.cell[chosen]]), kind="stable")]

    def _move(self, order: Integers, rows: float, due: float, sign: int, target: int) -> float:
        """Moves components, in order, while that brings `rows` nearer to `due`; returns the new `rows`."""
        for component in order:
            if sign * (due - rows) < 1 - _SLACK:
                break
            moved = rows + sign * float(self.size[component])
            if abs(moved - due) < abs(rows - due):
                self.part[component] = target
                rows = moved
        return rows


def _members(stratum: Integers, wanted: Flags) -> Iterator[tuple[int, Integers]]:
    """The components of each wanted stratum."""
    chosen = np.flatnonzero(wanted[stratum])
    chosen = chosen[np.argsort(stratum[chosen], kind="stable")]
    for members in np.split(chosen, np.flatnonzero(np.diff(stratum[chosen])) + 1):
        if members.size:
            yield int(stratum[members[0]]), members


def _numbers(table: pl.DataFrame, columns: Sequence[str]) -> Integers:
    """A number for each distinct combination of values, in their sorted order; null is a value."""
    if not columns:
        return np.zeros(table.height, dtype=np.int64)
    ranked = table.select(pl.struct(columns).rank("dense").cast(pl.Int64) - 1)
    return ranked.to_series().to_numpy()


def _draws(identities: Sequence[str], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each identity, the same on every machine."""
    head = f"{seed}\0".encode()
    hashes = b"".join(blake2b(head + identity.encode(), digest_size=8).digest() for identity in identities)
    return (np.frombuffer(hashes, dtype=">u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53
