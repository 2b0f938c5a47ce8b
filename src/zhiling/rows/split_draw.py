"""Components drawn into parts: each by a hash of its own identity, then moved where strata are uneven."""

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
    """Number of its stratum, from the finest strata to all rows as one; empty where nothing is evened out."""

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

    The draw: u = hash(seed, identity) in [0, 1); test below its share, then dev, then train. A component with
    more rows than the smallest share of dev and test (and more than one) goes to train (to the largest part
    if train's share is 0). Then, for each level of strata, the finest first, and for test and dev: where
    the rows of a part in a stratum are not the stratum's share rounded up or down, components go over to
    train or come from there, those whose draw was nearest to the boundary first, as far as their sizes
    allow. Then components with a fixed part take it, and the others are evened out once more: so a split
    whose own test rows are fixed comes out the same again. Last, a part with a share that got nothing takes
    the smallest free component of train, whatever its size, unless train would be left without any.

    Without strata the draw stands as it is, so a part has its share on average only, and no component's part
    depends on any other component (but for that last rule and the limit of size).
    """
    draw = _draws(components.identity, seed)
    part = np.where(draw < shares.test, TEST, np.where(draw < shares.test + shares.dev, DEV, TRAIN))
    others = [each for each in (TEST, DEV) if each != shares.rest and shares.of(each)]
    rows = int(components.size.sum())
    limit = max(min((shares.of(each) * rows for each in others), default=rows), 1)
    oversized = components.size > limit + _SLACK
    part[((part == TRAIN) & (shares.rest != TRAIN)) | oversized] = shares.rest
    table = _Table(components, draw, ~oversized, part, shares.rest)
    due = [(each, shares.of(each)) for each in others]
    table.even_all(due)
    free = components.fixed < 0
    part[~free] = components.fixed[~free]
    table.movable &= free
    table.even_all(due)
    for each in others:
        table.fill(each, free)
    return Assigned(part, oversized & free & (part == shares.rest))


class _Table:
    """The parts while they are evened out; `part` is changed in place."""

    def __init__(
        self, components: Components, draw: NDArray[np.float64], movable: Flags, part: Integers, rest: int
    ) -> None:
        self.size, self.draw, self.movable, self.part, self.rest = components.size, draw, movable, part, rest
        self.levels = components.levels

    def even_all(self, due: Sequence[tuple[int, float]]) -> None:
        """Evens out all levels of strata, the finest first, for each part with its share."""
        for level in range(len(self.levels)):
            for part, share in due:
                self.even(level, part, share)

    def even(self, level: int, part: int, share: float) -> None:
        """Brings the rows of `part` in each stratum to its share, rounded up or down, as sizes allow."""
        missing = [self._missing(stratum, part, share) for stratum in self.levels[: level + 1]]
        stratum, wanted = self.levels[level], missing[level]
        for number, members in _members(stratum, np.abs(wanted) > 1 - _SLACK):
            leaving = members[self.movable[members] & (self.part[members] == part)]
            entering = members[self.movable[members] & (self.part[members] == self.rest)]
            more = float(wanted[number])
            if more < 0:
                more = -self._move(
                    self._order(leaving, [-each for each in missing[:-1]], -1), -more, self.rest
                )
            self._move(self._order(entering, missing[:-1], 1), more, part)

    def fill(self, part: int, free: Flags) -> None:
        """Gives an empty part the smallest free component of the rest, if the rest keeps one."""
        giving = np.flatnonzero(free & (self.part == self.rest))
        if not (self.part == part).any() and np.count_nonzero(self.part == self.rest) > 1 and giving.size:
            self.part[giving[np.lexsort((self.draw[giving], self.size[giving]))[0]]] = part

    def _missing(self, stratum: Integers, part: int, share: float) -> NDArray[np.float64]:
        """Rows that `part` is short of in each stratum; negative where it has too many."""
        strata = int(stratum.max(initial=-1)) + 1
        have = np.bincount(stratum, self.size * (self.part == part), strata)
        due = share * np.bincount(stratum, self.size, strata)
        return (due - have).astype(np.float64)

    def _order(self, chosen: Integers, gains: Sequence[NDArray[np.float64]], sign: int) -> Integers:
        """The components by `sign` · draw, but first one of each finer stratum that gains by it, too."""
        chosen = chosen[np.argsort(sign * self.draw[chosen], kind="stable")]
        for stratum, gain in zip(self.levels, gains, strict=False):
            first = np.zeros(len(chosen), dtype=np.bool_)
            first[np.unique(stratum[chosen], return_index=True)[1]] = True
            first &= gain[stratum[chosen]] > _SLACK
            chosen = chosen[np.argsort(~first, kind="stable")]
        return chosen

    def _move(self, order: Integers, missing: float, target: int) -> float:
        """Moves components, in order, while that brings `missing` nearer to 0; returns what is left of it."""
        for component in order:
            if missing < 1 - _SLACK:
                break
            left = missing - float(self.size[component])
            if abs(left) < missing:
                self.part[component] = target
                missing = left
        return missing


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
