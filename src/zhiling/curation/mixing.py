"""The arithmetic of a mixture: shares of parts, what each can give, and the tree that shows it.

A part's rate is its weight or (rows, at most cap) ^ (1 / temperature).

Source: Raffel et al. 2020, section 3.5.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zhiling.errors import UsageError

REST = "*"
"""The name that stands for all parts without a weight of their own."""


@dataclass(frozen=True)
class Weighting:
    """How the rates of sibling parts are found.

    Attributes:
        weights: rate by name, `*` for those not named; empty: rows decide.
        temperature: from 1 (proportional) upwards (even).
        cap: rows that a part counts as at most.
    """

    weights: Mapping[str, float]
    temperature: float = 1.0
    cap: int | None = None

    def rates(self, rows: Mapping[str, int]) -> dict[str, float]:
        """The rate of each part, from its rows."""
        if self.weights:
            return {name: self.weights.get(name, self.weights.get(REST, 0.0)) for name in rows}
        capped = {name: min(count, self.cap or count) for name, count in rows.items()}
        return {name: count ** (1 / self.temperature) for name, count in capped.items()}


@dataclass(frozen=True)
class Branch:
    """A part of the mixture: how many rows it has, its share as asked for, how many are drawn."""

    name: str
    rows: int
    share: float
    drawn: int
    parts: Sequence[Branch] = field(default=())

    @property
    def title(self) -> str:
        """The name; of rows without one `(none)`."""
        return self.name or "(none)"

    @property
    def epochs(self) -> float:
        """How often each row is drawn on average."""
        return self.drawn / self.rows if self.rows else 0.0

    @property
    def amounts(self) -> str:
        """Share, rows drawn and there, epochs."""
        return f"{self.share:.1%} → {self.drawn:,} of {self.rows:,} rows, {self.epochs:.2f} epochs"

    def as_dict(self) -> dict[str, Any]:
        """The tree as plain JSON."""
        parts = [part.as_dict() for part in self.parts]
        own = {"name": self.name, "share": round(self.share, 6), "drawn": self.drawn, "rows": self.rows}
        return {**own, "epochs": round(self.epochs, 4), "parts": parts}

    def __str__(self) -> str:
        return "\n".join([f"{self.title}  {self.amounts}", *self._tree("")])

    def _tree(self, indent: str) -> Iterator[str]:
        for part in self.parts:
            last = part is self.parts[-1]
            yield f"{indent}{'└─' if last else '├─'} {part.title}  {part.amounts}"
            yield from part._tree(indent + ("   " if last else "│  "))


def plan(
    rows: Mapping[str, Mapping[str, int]],
    size: int,
    weightings: tuple[Weighting, Weighting],
    epochs: float,
    place: str,
) -> Branch:
    """What is drawn of each source, and in it of each task.

    Args:
        rows: source → task → rows, none of them 0.
        size: rows to draw, repeats included; less is drawn where the parts cannot give it.
        weightings: of the sources, of the tasks.
        epochs: how often a part may be used.
        place: for errors.

    Raises:
        UsageError: a weight without rows, or rows without a weight.
    """
    _check(weightings[0].weights, set(rows), "source", place)
    _check(weightings[1].weights, {task for tasks in rows.values() for task in tasks}, "task", place)
    sums = {source: sum(tasks.values()) for source, tasks in rows.items()}
    rates = weightings[0].rates(sums)
    inner = {source: weightings[1].rates(tasks) for source, tasks in rows.items()}
    # A task of weight 0 gives nothing, whatever its source could hold.
    room = {
        source: {
            task: int(count * epochs + 1e-9) * (inner[source][task] > 0) for task, count in tasks.items()
        }
        for source, tasks in rows.items()
    }
    drawn = allotted(rates, {source: sum(each.values()) for source, each in room.items()}, size)
    shares = _shares(rates)
    branches = tuple(
        Branch(source, sums[source], shares[source], drawn[source], parts)
        for source, tasks in rows.items()
        for parts in [_tasks(tasks, inner[source], room[source], drawn[source])]
    )
    return Branch("mixture", sum(sums.values()), 1.0, sum(drawn.values()), branches)


def _tasks(
    rows: Mapping[str, int], rates: Mapping[str, float], room: Mapping[str, int], size: int
) -> tuple[Branch, ...]:
    drawn, shares = allotted(rates, room, size), _shares(rates)
    return tuple(Branch(task, count, shares[task], drawn[task]) for task, count in rows.items())


def allotted(rates: Mapping[str, float], room: Mapping[str, int], size: int) -> dict[str, int]:
    """Whole numbers in proportion to the rates, none above its room; in sum `size`, or all the room there is.

    What a full part cannot take goes to the others in proportion. Remainders go to the largest fractions,
    ties by name. Anchor: rates {a: 1, b: 1, c: 2}, room {a: 1, b: 9, c: 9}, size 8 give {a: 1, b: 2, c: 5}.
    """
    taken = dict.fromkeys(rates, 0.0)
    free = {name for name in rates if rates[name] > 0 and room[name] > 0}
    size = min(size, sum(room[name] for name in free))
    while free:
        left = size - sum(room[name] for name in taken if name not in free and rates[name] > 0)
        total = sum(rates[name] for name in sorted(free))
        taken.update({name: left * rates[name] / total for name in free})
        full = {name for name in free if taken[name] >= room[name]}
        if not full:
            break
        taken.update({name: float(room[name]) for name in full})
        free -= full
    whole = {name: int(amount + 1e-9) for name, amount in taken.items()}
    missing = size - sum(whole.values())
    order = sorted(free, key=lambda name: (whole[name] - taken[name], name))
    for name in order[:missing]:
        whole[name] += 1
    return whole


def _shares(rates: Mapping[str, float]) -> dict[str, float]:
    total = sum(rates.values())
    return {name: rate / total if total else 0.0 for name, rate in rates.items()}


def _check(weights: Mapping[str, float], present: set[str], noun: str, place: str) -> None:
    if not weights:
        return
    unknown = sorted(set(weights) - present - {REST})
    missing = sorted(present - set(weights)) if REST not in weights else []
    if unknown and present:
        raise UsageError(
            f"a weight for {noun} {unknown[0]!r}, which has no row here; rows have {sorted(present)}",
            place=place,
            hint="leave it out, or look at the steps before: they may have rejected all of its rows",
        )
    if missing:
        raise UsageError(
            f"no weight for {noun} {missing[0]!r}, which has rows; weights are for {sorted(weights)}",
            place=place,
            hint=f'name it (0 leaves it out), or give all others one weight: "{REST}": 1',
        )
