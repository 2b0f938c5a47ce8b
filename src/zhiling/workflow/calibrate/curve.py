"""What a threshold does at each of its values, on labelled rows: the curve that `calibrate` walks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.length_matched import LengthMatched, length_matched
from zhiling.errors import UnknownName, UsageError
from zhiling.pipeline.plan import StepLine
from zhiling.pipeline.step import Bound, Decide
from zhiling.workflow.calibrate.bounds import Share
from zhiling.workflow.calibrate.scores import Seen, look, with_setting
from zhiling.workflow.calibrate.truth import Truth, halves
from zhiling.workflow.recipe import Recipe

MOST_CANDIDATES = 200
_SALT = "calibrate"
_DIGITS = 17


@dataclass(frozen=True)
class Point:
    """What one value of the threshold does to the judged half.

    Attributes:
        value: of the setting.
        precision: the share of bad rows among those acted upon.
        recall: of the bad rows, the share acted upon.
        false_rejects: of the good rows, the share acted upon.
    """

    value: float
    precision: Share
    recall: Share
    false_rejects: Share


@dataclass(frozen=True)
class Measured:
    """A step's threshold and labelled rows with what the step makes of them.

    Attributes:
        judged: which of the seen rows only judge; the others choose.
    """

    line: StepLine
    bound: Bound
    truth: Truth
    seen: Seen
    judged: NDArray[np.bool_]

    @cached_property
    def candidates(self) -> list[Candidate]:
        """Values to be tried, the strictest first."""
        return _candidates(self.line, self.bound, self.seen, ~self.judged)

    def counts(self, *, judged: bool) -> list[tuple[int, int]]:
        """Of each candidate on one half: bad rows acted upon, and rows acted upon."""
        half = self.judged if judged else ~self.judged
        return [
            (int((acted & half & self.seen.bad).sum()), int((acted & half).sum()))
            for _, acted in self.candidates
        ]

    @cached_property
    def ranking(self) -> LengthMatched | None:
        """How well the score ranks bad rows above good ones; None where no one score tells the verdicts."""
        if self.bound.values:
            return None
        scored = ~np.isnan(self.seen.scores)
        return length_matched(self.seen.scores[scored], self.seen.lengths[scored], self.seen.bad[scored])

    def point(self, place: int, confidence: float) -> Point:
        """What a candidate does."""
        value, acted = self.candidates[place]
        acted = acted & self.judged
        bad, good = self.judged & self.seen.bad, self.judged & ~self.seen.bad
        hit, false = int((acted & bad).sum()), int((acted & good).sum())
        return Point(
            value,
            Share.of(hit, hit + false, confidence),
            Share.of(hit, int(bad.sum()), confidence),
            Share.of(false, int(good.sum()), confidence),
        )

    def curve(self, points: int, confidence: float) -> list[Point]:
        """At most so many candidates, evenly from the strictest to the loosest."""
        last = len(self.candidates) - 1
        places = (
            {round(number * last / (points - 1)) for number in range(points)} if last >= 0 else set[int]()
        )
        return [self.point(place, confidence) for place in sorted(places)]


def measure(recipe: Recipe, step_id: str, truth: Truth, setting: str | None = None) -> Measured:
    """Labelled rows measured by a step, in two halves.

    Args:
        recipe: the recipe with the step.
        step_id: a step that declares a bound, or a measuring step that one such step reads.
        truth: labelled rows.
        setting: which bound of the step, where it has several.

    Raises:
        UnknownName: no such step, or no such setting.
        UsageError: nothing to set, or no row that the step judges.
    """
    line, bound = _target(recipe, step_id, setting)
    seen = look(recipe, line, bound, truth)
    judged = np.array(halves(seen.keys, seen.bad.tolist(), _SALT), dtype=np.bool_)
    return Measured(line, bound, truth, seen, judged)


def _target(recipe: Recipe, step_id: str, setting: str | None) -> tuple[StepLine, Bound]:
    """The step with a bound that a name means, and the bound."""
    lines = [line for line in recipe.steps if isinstance(line, StepLine)]
    named = next((line for line in lines if line.id == step_id), None)
    if named is None:
        raise UnknownName("step", step_id, [line.id for line in lines])
    if not isinstance(named.step, Decide):
        readers = [
            line for line in lines if any(name.startswith(f"{step_id}.") for name in line.step.reads())
        ]
        deciding = [line for line in readers if isinstance(line.step, Decide) and line.step.bounds]
        if len(deciding) != 1:
            found = f"{len(deciding)} steps with a threshold read its columns"
            raise UsageError(
                f"step {step_id!r} decides nothing, and {found}",
                hint=f"add `{{use: threshold, column: {step_id}.…, at_least: …}}`, or name one of them",
            )
        named = deciding[0]
    return named, _bound(named, setting)


def _bound(line: StepLine, setting: str | None) -> Bound:
    bounds = {bound.setting: bound for bound in line.step.bounds} if isinstance(line.step, Decide) else {}
    if not bounds:
        raise UsageError(
            f"step {line.id!r} ({line.step.name}) has no threshold that could be calibrated",
            hint="calibrate a measuring step that a `threshold` reads",
        )
    if setting is not None:
        if setting not in bounds:
            raise UnknownName("setting", setting, bounds, place=f"step {line.id!r}")
        return bounds[setting]
    used = [name for name in bounds if getattr(line.step, name) is not None]
    if len(used) != 1:
        raise UsageError(
            f"step {line.id!r} has {len(used)} of the settings {', '.join(bounds)}",
            hint="say which one with --setting",
        )
    return bounds[used[0]]


Candidate = tuple[float, NDArray[np.bool_]]
"""A value, and which of the rows it acts on."""


def _candidates(line: StepLine, bound: Bound, seen: Seen, part: NDArray[np.bool_]) -> list[Candidate]:
    """Values that lie between the scores of the choosing part, the strictest first."""
    if bound.values:
        return list(seen.acted.items())
    sign = 1.0 if bound.acts == "above" else -1.0
    scores = np.unique(seen.scores[part & np.isfinite(seen.scores)])[::-1]
    if not len(scores):
        return []
    spread = max(float(scores[0] - scores[-1]), abs(float(scores[-1])), 1e-6)
    edges = np.append(scores, scores[-1] - spread / 100)
    wanted = np.unique(np.linspace(0, len(scores) - 1, min(len(scores), MOST_CANDIDATES)).astype(int))
    taken = set((sign * seen.scores).tolist())
    values: list[float | None] = []
    for place in wanted.tolist():
        low, high = sorted((sign * float(edges[place]), sign * float(edges[place + 1])))
        values.append(shortest_between(low, high, taken))
    return [
        (value, seen.scores > sign * value)
        for value in values
        if value is not None and with_setting(line.step, bound, value) is not None
    ]


def shortest_between(low: float, high: float, taken: set[float]) -> float | None:
    """A number between two others with as few decimals as there are, and none of those taken."""
    for digits in range(_DIGITS):
        value = round((low + high) / 2, digits)
        if low < value < high and value not in taken:
            return value
    return None
