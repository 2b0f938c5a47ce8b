"""Did the student gain: two students on the same real rows, with the paired standard error of the gain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic.dataclasses import dataclass

from zhiling.adversarial.guards.figures import FIGURES
from zhiling.errors import UsageError
from zhiling.evaluation.metrics.metric import Floats, Scorer
from zhiling.evaluation.statistics import Draw, bootstrap


@dataclass(frozen=True, config=FIGURES)
class Gain:
    """How many percentage points more of the rows a student has right than another one.

    Attributes:
        points: the difference, -100 to 100.
        error: its standard error by the paired bootstrap; 0 where both are right on the same rows.
    """

    points: float
    error: float

    @property
    def forward(self) -> bool:
        """More than one standard error was gained."""
        return self.points > self.error


def gain(before: ArrayLike, now: ArrayLike, groups: Sequence[str] | None = None, seed: int = 0) -> Gain:
    """What the student of this round gained over another one.

    Rows are resampled for both together, so what is hard for both cancels. Anchor: of 100 rows of their own
    10 newly right and none newly wrong are 10 points with an error of 3 (√(.1 · .9 / 100)).

    Args:
        before: which rows the other student has right, (n,) or (seeds, n), of truth values.
        now: the same of this one; both with as many seeds.
        groups: of each row its conversation or document, which are then drawn whole; None: rows alone.
        seed: of the resampling.

    Raises:
        UsageError: no rows, other shapes on the two sides, or values that are no truth values.
    """
    right = {"before": _seeds("before", before), "now": _seeds("now", now)}
    shapes = [each.shape for each in right.values()]
    if shapes[0] != shapes[1] or not shapes[0][1]:
        raise UsageError(
            f"gain: answers of shapes {shapes[0]!r} before and {shapes[1]!r} now",
            hint="give both students' answers to the same rows, at least one, by as many seeds",
        )
    if groups is not None and len(groups) != shapes[0][1]:
        raise UsageError(
            f"gain: {len(groups)} groups of {shapes[0][1]} rows", hint="give the group of each row"
        )
    scorers = {name: [_scorer(answers) for answers in each] for name, each in right.items()}
    found = bootstrap(scorers, Draw(shapes[0][1], seed, groups=groups))
    error = float(np.std(found.draws["now"] - found.draws["before"], ddof=1))
    return Gain(points=100 * (found.points["now"] - found.points["before"]), error=100 * error)


def _seeds(side: str, answers: ArrayLike) -> NDArray[np.bool_]:
    """The answers as (seeds, n)."""
    table = np.atleast_2d(np.asarray(answers))
    if table.dtype != np.bool_ or table.ndim != 2:
        raise UsageError(
            f"gain: {side} holds {table.dtype} of shape {table.shape!r}",
            hint="give truth values, (n,) or (seeds, n): right or wrong",
        )
    return table


def _scorer(answers: NDArray[np.bool_]) -> Scorer:
    right = answers.astype(np.float64)

    def score(weights: Floats) -> Floats:
        return weights @ right / weights.sum(axis=1)

    return score
