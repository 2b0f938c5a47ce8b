"""`calibrate STEP`: a step's threshold from labelled rows, with a bound that holds on unseen ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UnknownName, UsageError
from zhiling.pipeline.plan import StepLine
from zhiling.pipeline.step import Bound, Decide
from zhiling.pipeline.store import write_bytes
from zhiling.workflow.calibrate_bounds import Share, certify, fewest, lower_limit
from zhiling.workflow.calibrate_scores import Seen, look, with_setting
from zhiling.workflow.calibrate_truth import Truth, halves
from zhiling.workflow.document import is_list, is_mapping, load_document, round_trip
from zhiling.workflow.recipe import Recipe

MOST_CANDIDATES = 200
_SALT = "calibrate"
_DIGITS = 17


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it does to unseen rows.

    Attributes:
        step: id of the step whose setting was set.
        setting: its name.
        before: the value in the recipe, None where it had none.
        value: the one to set.
        asked: the precision asked for.
        confidence: of every limit.
        precision: the share of bad rows among the judged ones that the step acts on; unseen rows have at
            least `asked`.
        recall: of the judged bad rows, the share that the step acts on.
        false_rejects: of the judged good rows, the share that the step acts on.
        chosen_on: labelled rows that told where to begin.
        judged_on: labelled rows that the shares were counted on.
        passed_by: labelled rows that the step did not judge.
        unreadable: labelled rows that could not be read or found.
    """

    step: str
    setting: str
    before: float | None
    value: float
    asked: float
    confidence: float
    precision: Share
    recall: Share
    false_rejects: Share
    chosen_on: int
    judged_on: int
    passed_by: int
    unreadable: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Promise:
    """What is to hold on unseen rows.

    Attributes:
        precision: least share of bad rows among those acted upon, above 0 and below 1.
        confidence: of that, above 0 and below 1.
    """

    precision: float = 0.95
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 < value < 1:
                raise UsageError(f"{name} is {value!r}", hint="a number above 0 and below 1, such as 0.95")

    def __str__(self) -> str:
        """In words."""
        return f"a precision of {self.precision:g} with confidence {self.confidence:g}"


def calibrate(
    recipe: Recipe, step_id: str, truth: Truth, promise: Promise, setting: str | None = None
) -> Calibration:
    """The loosest threshold of a step at which the rows that it acts on are surely bad.

    One half of the labelled rows tells where to begin, the other one is judged: with the given confidence at
    least `precision` of the unseen rows that the step will act on are bad, if they are like the labelled
    ones (see `calibrate_bounds.certify` for the procedure and its source).

    Args:
        recipe: the recipe with the step.
        step_id: a step that declares a bound, or a measuring step that one such step reads.
        truth: labelled rows.
        promise: what is to hold.
        setting: which bound of the step, where it has several.

    Raises:
        UnknownName: no such step, or no such setting.
        UsageError: nothing to set, too few rows, or a precision that no threshold reaches.
    """
    line, bound = _target(recipe, step_id, setting)
    seen = look(recipe, line, bound, truth)
    judged = np.array(halves(seen.keys, seen.bad.tolist(), _SALT), dtype=np.bool_)
    _refuse_few(truth, seen, judged, promise)
    candidates = _candidates(line, bound, seen, ~judged)
    counts = [[_counts(acted & part, seen.bad) for _, acted in candidates] for part in (~judged, judged)]
    place = certify(counts[0], counts[1], promise.precision, promise.confidence)
    if place is None:
        raise _unreachable(truth, bound, candidates, counts[1], promise)
    value, acted = candidates[place]
    good, bad = judged & ~seen.bad, judged & seen.bad
    return Calibration(
        step=line.id, setting=bound.setting, before=getattr(line.step, bound.setting), value=value,
        asked=promise.precision, confidence=promise.confidence,
        precision=Share.of(*counts[1][place], promise.confidence),
        recall=Share.of(int((acted & bad).sum()), int(bad.sum()), promise.confidence),
        false_rejects=Share.of(int((acted & good).sum()), int(good.sum()), promise.confidence),
        chosen_on=int((~judged).sum()), judged_on=int(judged.sum()),
        passed_by=seen.passed_by, unreadable=seen.unreadable,
    )  # fmt: skip


def write_setting(file: Path, step_id: str, setting: str, value: float) -> None:
    """Sets a field of a step in a recipe file; comments, order and quotes stay as they are.

    Raises:
        UsageError: the file has no such step line of its own.
    """
    document = load_document(file)
    steps = document.tree.get("steps")
    for line in steps if is_list(steps) else ():
        if is_mapping(line) and line.get("id", line.get("use")) == step_id:
            node: Any = line
            node[setting] = value
            stream = StringIO()
            round_trip(steps).dump(document.tree, stream)
            write_bytes(file, stream.getvalue().encode())
            return
    raise UsageError(f"no step {step_id!r} to write to", place=file.name)


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


def _counts(acted: NDArray[np.bool_], bad: NDArray[np.bool_]) -> tuple[int, int]:
    return int((acted & bad).sum()), int(acted.sum())


def _refuse_few(truth: Truth, seen: Seen, judged: NDArray[np.bool_], promise: Promise) -> None:
    """An error where even a faultless threshold could not show the precision."""
    least, bad = fewest(promise.precision, promise.confidence), int((judged & seen.bad).sum())
    good = int((judged & ~seen.bad).sum())
    if bad < least or not good:
        raise UsageError(
            f"{int(seen.bad.sum())} bad and {int((~seen.bad).sum())} good labelled rows that the step judges:"
            f" to show {promise}, {least} bad rows acted upon without an error are needed in the half that is"
            " judged",
            place=truth.file.name,
            hint=f"label at least {2 * least} bad rows and some good ones, or ask for a lower precision",
        )


def _unreachable(
    truth: Truth, bound: Bound, candidates: Sequence[Candidate], counts: Sequence[tuple[int, int]],
    promise: Promise,
) -> UsageError:  # fmt: skip
    limits = [lower_limit(bad, acted, promise.confidence) for bad, acted in counts]
    if not limits or not max(limits):
        told = "no value acts on a bad row"
    else:
        best = int(np.argmax(limits))
        bad, acted = counts[best]
        told = (
            f"the best is {limits[best]:.3f}, at {bound.setting} {candidates[best][0]:g}:"
            f" {bad} of {acted} rows acted upon are bad"
        )
    return UsageError(
        f"no {bound.setting} shows {promise}; {told}",
        place=truth.file.name,
        hint="ask for less with --precision, label more rows, or use a better measure",
    )
