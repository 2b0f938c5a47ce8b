"""`preview STEP`: a few rows before and after a step, on a sample, in a folder that is thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.errors import UnknownName
from zhiling.pipeline.plan import Plan, RepeatLine, StepLine
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import plan_of

SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Previewed:
    """What the step did to one row.

    Attributes:
        row: `id`, `messages`, `origin` as the step saw it.
        verdict: the ledger line: verdict, reason, score, related.
        measures: columns that the step added.
        made: messages of rows that it made from this one.
    """

    row: dict[str, Any]
    verdict: dict[str, Any]
    measures: dict[str, Any]
    made: list[Any]


def preview(recipe: Recipe, step_id: str, rows: int = 5, sample: int = SAMPLE_ROWS) -> list[Previewed]:
    """The step's answers to some of the first `sample` rows of each source, the striking ones first.

    Raises:
        UnknownName: no such step in the recipe.
    """
    if step_id not in recipe.step_ids():
        raise UnknownName("step", step_id, recipe.step_ids())
    plan = plan_of(recipe)
    steps = plan.steps[: _position(plan, step_id) + 1]
    plan = replace(plan, steps=steps, limit=min(sample, plan.limit or sample), max_failed=1.0)
    with tempfile.TemporaryDirectory(prefix="zhiling-preview-") as folder:
        root = Path(folder)
        run = RunFolder.create(root / "runs" / "preview-0001", Manifest(run="preview-0001", recipe=""))
        runner = Runner(plan, run, Project(root), lambda event: None)
        runner.rows()
        return _answers(runner, step_id, rows)


def _position(plan: Plan, step_id: str) -> int:
    for index, line in enumerate(plan.steps):
        inner: Sequence[StepLine] = line.steps if isinstance(line, RepeatLine) else ()
        if line.id == step_id or step_id in [step.id for step in inner]:
            return index
    raise UnknownName("step", step_id, [line.id for line in plan.steps])


def _answers(runner: Runner, step_id: str, wanted: int) -> list[Previewed]:
    stage = next(stage for stage in reversed(runner.run.manifest.stages) if stage.id == step_id)
    frames = [runner.run.read_frame(part.ledger) for part in stage.parts if part.ledger]
    if not frames:
        return []
    quiet = [str(verdict) for verdict in (Verdict.KEEP, Verdict.MEASURED, Verdict.PASSED)]
    lines = pl.concat(frames).sort(pl.col("verdict").is_in(quiet), "n").head(wanted)
    numbers = lines["n"].to_numpy().astype("int64")
    rows = {row["n"]: row for row in runner.table.read(["id", "messages", "origin"], numbers).to_dicts()}
    measures = _by_number([runner.run.read_frame(part.measures) for part in stage.parts if part.measures])
    made: dict[str, list[Any]] = {}
    for part in stage.parts:
        for row in runner.run.read_frame(part.rows).to_dicts() if part.rows else []:
            for parent in row["origin"]["parents"]:
                made.setdefault(parent, []).append(row["messages"])
    return [
        Previewed(
            rows[line["n"]],
            {name: line[name] for name in ("verdict", "reason", "score", "related", "detail")},
            measures.get(line["n"], {}),
            made.get(rows[line["n"]]["id"], []),
        )
        for line in lines.to_dicts()
    ]


def _by_number(frames: list[pl.DataFrame]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for frame in frames:
        for row in frame.to_dicts():
            found[row.pop("n")] = row
    return found
