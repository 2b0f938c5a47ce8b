"""`preview STEP`: a few rows before and after a step, on a sample, in a folder that is thrown away.

A step that asks a model asks it about a few rows only, within the recipe's budget. Its replies are stored, so
the run does not ask for them again, and what they took narrows the estimate of `check`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.errors import UnknownName
from zhiling.llm.store import Spending
from zhiling.pipeline.ledger import ATTEMPT
from zhiling.pipeline.plan import Plan, RepeatLine, StepLine, steps_of
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.workflow.estimate import measured_as
from zhiling.workflow.models import RunModels, spending
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import plan_of

SAMPLE_ROWS = 200
PAID_ROWS = 8
"""Rows of each source where a model is asked about them."""


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


@dataclass(frozen=True)
class Preview:
    """What a step did to a sample.

    Attributes:
        rows: some of its answers, the striking ones first.
        tried: rows that a Make tried to write, and `made` those that it wrote.
        spent: what its calls came to, those of earlier previews of the same step included.
    """

    rows: list[Previewed]
    tried: int
    made: int
    spent: Spending


def preview(recipe: Recipe, step_id: str, rows: int = 5, sample: int | None = None) -> Preview:
    """The step's answers to some of the first rows of each source.

    Args:
        recipe: the recipe.
        step_id: a step of it.
        rows: how many answers.
        sample: rows of each source; unset: 200, or 8 where a model is asked about them.

    Raises:
        UnknownName: no such step in the recipe.
        BudgetReached: the previews of a step may take as much as the budget allows a run.
    """
    if step_id not in recipe.step_ids():
        raise UnknownName("step", step_id, recipe.step_ids())
    plan = plan_of(recipe)
    steps = tuple(
        replace(outer, rounds=1) if isinstance(outer, RepeatLine) else outer
        for outer in plan.steps[: _position(plan, step_id) + 1]
    )
    lines = {line.id: line for outer in steps for line in steps_of(outer)}
    sample = sample or (PAID_ROWS if any(line.step.roles() for line in lines.values()) else SAMPLE_ROWS)
    names = {name: measured_as(plan, line) for name, line in lines.items() if line.step.roles()}
    plan = replace(plan, steps=steps, limit=min(sample, plan.limit or sample), max_failed=1.0)
    with tempfile.TemporaryDirectory(prefix="zhiling-preview-") as folder, ExitStack() as opened:
        root = Path(folder)
        models = {name: opened.enter_context(RunModels(recipe, run)) for name, run in names.items()}
        plan = replace(plan, load_models=models.__getitem__)
        run = RunFolder.create(root / "runs" / "preview-0001", Manifest(run="preview-0001", recipe=""))
        runner = Runner(plan, run, Project(root), lambda event: None)
        runner.rows()
        tried, made = _tries(runner, step_id)
        spent = spending(recipe.root, names[step_id]) if step_id in names else Spending()
        return Preview(_answers(runner, step_id, rows), tried, made, spent)


def _tries(runner: Runner, step_id: str) -> tuple[int, int]:
    """How many rows a Make tried to write, and how many it wrote."""
    counts = [stage.counts for stage in runner.run.manifest.stages if stage.id == step_id]
    made = sum(each.get("rows", {}).get("out", 0) for each in counts)
    return made + sum(sum(each.get(ATTEMPT, {}).values()) for each in counts), made


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
