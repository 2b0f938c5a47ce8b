"""`calibrate STEP`: a step's threshold from labelled rows, with a bound that holds on unseen ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from zhiling.errors import UsageError
from zhiling.pipeline.store import write_bytes
from zhiling.workflow.calibrate.bounds import beginning, certify, fewest, lower_limit
from zhiling.workflow.calibrate.curve import Measured, Point
from zhiling.workflow.document import is_list, is_mapping, load_document, round_trip


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it does to unseen rows.

    Attributes:
        step: id of the step whose setting was set.
        setting: its name.
        before: the value in the recipe, None where it had none.
        asked: the precision that unseen rows have at least.
        confidence: of that and of every limit.
        point: the value, and what it does to the judged half.
        chosen_on: labelled rows that told where to begin.
        judged_on: labelled rows that the shares were counted on.
        passed_by: labelled rows that the step did not judge.
        unreadable: labelled rows that could not be read or found.
    """

    step: str
    setting: str
    before: float | None
    asked: float
    confidence: float
    point: Point
    chosen_on: int
    judged_on: int
    passed_by: int
    unreadable: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, the point's fields among the others."""
        told = asdict(self)
        return told | told.pop("point")


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


def calibrate(measured: Measured, promise: Promise) -> Calibration:
    """The loosest threshold of a step at which the rows that it acts on are surely bad.

    One half of the labelled rows tells where to begin, the other one is judged: with the given confidence at
    least `precision` of the unseen rows that the step will act on are bad, if they are like the labelled
    ones (see `calibrate_bounds.certify` for the procedure and its source).

    Raises:
        UsageError: too few rows, or a precision that no threshold reaches.
    """
    _refuse_few(measured, promise)
    chosen, judged = measured.counts(judged=False), measured.counts(judged=True)
    place = certify(chosen, judged, promise.precision, promise.confidence)
    if place is None:
        raise _unreachable(measured, promise)
    line, seen = measured.line, measured.seen
    return Calibration(
        step=line.id, setting=measured.bound.setting, before=getattr(line.step, measured.bound.setting),
        asked=promise.precision, confidence=promise.confidence,
        point=measured.point(place, promise.confidence),
        chosen_on=int((~measured.judged).sum()), judged_on=int(measured.judged.sum()),
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


def _refuse_few(measured: Measured, promise: Promise) -> None:
    """An error where even a faultless threshold could not show the precision."""
    bad = measured.seen.bad
    least = fewest(promise.precision, promise.confidence)
    if (bad & measured.judged).sum() < least or not (~bad & measured.judged).any():
        raise UsageError(
            f"{int(bad.sum())} bad and {int((~bad).sum())} good labelled rows that the step judges:"
            f" to show {promise}, {least} bad rows acted upon without an error are needed in the half that is"
            " judged",
            place=measured.truth.file.name,
            hint=f"label at least {2 * least} bad rows and some good ones, or ask for a lower precision",
        )


def _unreachable(measured: Measured, promise: Promise) -> UsageError:
    """An error that tells the best precision that could be promised: what is shown where the walk begins."""
    counts = measured.counts(judged=True)
    setting, told = measured.bound.setting, "no value acts on a row"
    if counts:
        start = beginning(measured.counts(judged=False), promise.confidence)
        bad, acted = counts[start]
        limit, value = lower_limit(bad, acted, promise.confidence), measured.candidates[start][0]
        told = f"the best is {limit:.3f}, at {setting} {value:g}: {bad} of {acted} rows acted upon are bad"
    return UsageError(
        f"no {setting} shows {promise}; {told}",
        place=measured.truth.file.name,
        hint="ask for less with --precision, label more rows, or use a better measure; --curve shows all",
    )
