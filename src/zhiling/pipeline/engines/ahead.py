"""Which steps of a recipe may share one pass over the rows: the rows are read once, and nothing in between.

A step may follow in the pass where its answer for a row depends on that row alone and everything that it
reads is in the record or measured before it. What was computed ahead is only ever used for rows that the
runner asks for later, with the keys that it then computes: so a pass decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from zhiling.pipeline.plan import Plan, RepeatLine, StepLine
from zhiling.pipeline.step import Decide, Measure, Step


def following_lines(line: StepLine, plan: Plan) -> Iterator[StepLine]:
    """The lines behind this one that may share its pass, in order; none behind one of a `repeat`."""
    place = next((place for place, other in enumerate(plan.steps) if other is line), None)
    if place is None or not _leads(line.step):
        return
    for other in plan.steps[place + 1 :]:
        if isinstance(other, RepeatLine) or not _follows(other, line.step.material):
            return
        yield other


def _leads(step: Step) -> bool:
    return isinstance(step, Measure | Decide) and step.scope != "table" and not step.stays_here()


def _follows(line: StepLine, material: bool) -> bool:
    step = line.step
    return (
        isinstance(step, Measure | Decide)
        and step.scope == "rows"
        and (step.material or not material)  # else passages would be read for nothing
        and not (step.fits() or step.stays_here() or line.sources or line.only)
    )
