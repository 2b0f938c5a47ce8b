"""What a step would do to labelled rows at each value of its threshold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from zhiling.errors import UsageError
from zhiling.pipeline import registry
from zhiling.pipeline.ledger import lines as ledger_lines
from zhiling.pipeline.plan import Plan, SourceLine, StepLine
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.step import DECISIONS, Bound, Decide, Step, Verdict
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import question_text, reply_text
from zhiling.text.tokens import token_counts
from zhiling.workflow.calibrate.truth import LINE, Truth
from zhiling.workflow.models import RunModels
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import plan_of
from zhiling.workflow.sniff import recognise

_ACTED = [str(verdict) for verdict in DECISIONS if verdict is not Verdict.KEEP]
_DECIDED = [str(verdict) for verdict in DECISIONS]


@dataclass(frozen=True)
class Seen:
    """The labelled rows that the step judged, in columns of equal length.

    Attributes:
        keys: rows of one key must not be parted: the group, else the content.
        bad: what the truth file says.
        scores: of rows that some value acts on; -inf where none does; higher is acted on first.
        lengths: tokens of the reply, of the question where there is no reply; words, characters of Chinese.
        passed_by: labelled rows that the step did not judge: not its kind, or taken by an earlier step.
        unreadable: labelled rows that could not be read, or whose id no row of the project has.
    """

    keys: tuple[str, ...]
    bad: NDArray[np.bool_]
    acted: Mapping[float, NDArray[np.bool_]]
    scores: NDArray[np.float64]
    lengths: NDArray[np.float64]
    passed_by: int
    unreadable: int


def look(recipe: Recipe, line: StepLine, bound: Bound, truth: Truth) -> Seen:
    """The labelled rows with what the step makes of them, measured in a folder that is thrown away.

    Rows named by id are measured among all rows of the recipe, where earlier results are taken over; texts
    are measured by the step and by the steps whose columns it reads.

    Raises:
        UsageError: the step judges none of them.
    """
    values = bound.values or (bound.loosest,)
    asking = RunModels(recipe, f"calibrate:{line.id}")
    with tempfile.TemporaryDirectory(prefix="zhiling-calibrate-") as folder, asking as models:
        root = Path(folder)
        run = RunFolder.create(root / "runs" / "calibrate-0001", Manifest(run="calibrate-0001", recipe=""))
        source = None if truth.ids else _source(truth, root)
        frames: list[_Judged] = []
        for value in values:  # one run folder: what stands before the step is measured once
            plan = replace(_plan(recipe, _at(line, bound, value), source), load_models=models)
            table = Runner(plan, run, Project(root if source else recipe.root), lambda event: None).rows()
            frames.append(_judged(run, table, line.id, truth))
    first = frames[0]
    if not first.rows.height:
        raise UsageError(
            f"step {line.id!r} judges none of the {len(truth.bad)} labelled rows",
            place=truth.file.name,
            hint="give rows of the kind that the step is about: with a reply, a label, …",
        )
    sign = 1.0 if bound.acts == "above" else -1.0
    acted = [_acted(frame.rows, bound) for frame in frames]
    scores = np.where(acted[0], sign * first.rows["score"].fill_null(np.nan).to_numpy(), -np.inf)
    return Seen(
        keys=tuple(first.rows["key"].to_list()),
        bad=first.rows["bad"].to_numpy(),
        acted=dict(zip(bound.values, acted, strict=True)) if bound.values else {},
        scores=scores,
        lengths=first.rows["length"].to_numpy(),
        passed_by=len(truth.bad) - first.unreadable - first.rows.height,
        unreadable=first.unreadable,
    )


def with_setting(step: Step, bound: Bound, value: float) -> Step | None:
    """The step with another value of the setting; None where the step allows no such value."""
    others = (
        [each.setting for each in type(step).bounds if each is not bound] if isinstance(step, Decide) else []
    )
    optional = {name: None for name in others if type(step).model_fields[name].default is None}
    try:
        return type(step).model_validate({**step.model_dump(), **optional, bound.setting: value})
    except ValidationError:
        return None


def _at(line: StepLine, bound: Bound, value: float) -> StepLine:
    step = with_setting(line.step, bound, value)
    assert step is not None, f"{line.step.name}: {bound.setting}={value} is declared, but not allowed"
    return replace(line, step=step)


@dataclass(frozen=True)
class _Judged:
    """A line per labelled row that the step judged, in file order.

    Attributes:
        rows: `key, bad, verdict, reason, score, length`.
    """

    rows: pl.DataFrame
    unreadable: int


def _judged(run: RunFolder, table: RowTable, step_id: str, truth: Truth) -> _Judged:
    numbers = np.arange(len(table))
    rows = table.read(["id", "content", "group", "extra"], numbers)
    lines = pl.DataFrame({"line": list(truth.bad), "bad": list(truth.bad.values())}, schema=_LINES)
    if truth.ids:
        named = pl.DataFrame({"line": list(truth.ids), "id": list(truth.ids.values())}, schema=_IDS)
        rows = rows.join(named, on="id", how="inner", maintain_order="left")
    else:
        rows = rows.with_columns(
            pl.col("extra").str.json_path_match(f"$.{LINE}").cast(pl.Int64).alias("line")
        )
    rows = rows.join(lines, on="line", how="inner")
    stage = next(stage for stage in reversed(run.manifest.stages) if stage.id == step_id)
    ledgers = [run.read_frame(part.ledger) for part in stage.parts if part.ledger]
    ledger = pl.concat(ledgers) if ledgers else ledger_lines({}, 0)
    decided = ledger.filter(pl.col("verdict").is_in(_DECIDED)).select("n", "verdict", "reason", "score")
    unreadable = len(truth.bad) - rows["line"].n_unique()
    found = rows.join(decided, on="n", how="inner").unique("line", keep="first")
    found = found.join(_lengths(table, found["n"]), on="n", how="left").sort("line")
    key = pl.col("group").fill_null(pl.col("content")).alias("key")
    return _Judged(found.select(key, "bad", "verdict", "reason", "score", "length"), unreadable)


def _lengths(table: RowTable, numbers: pl.Series) -> pl.DataFrame:
    """`n` and `length` of some rows."""
    rows = table.read(["messages"], np.sort(numbers.to_numpy()).astype(np.int64))
    reply, question = (token_counts(part(rows["messages"])) for part in (reply_text, question_text))
    return rows.select(
        "n", pl.when(reply > 0).then(reply).otherwise(question).cast(pl.Float64).alias("length")
    )


_LINES = {"line": pl.Int64, "bad": pl.Boolean}
_IDS = {"line": pl.Int64, "id": pl.String}


def _source(truth: Truth, root: Path) -> SourceLine:
    """The texts of a truth file as a source."""
    file = root / "truth.jsonl"
    truth.write_records(file)
    try:
        name = recognise(file).reading.source
    except UsageError as error:
        fields = sorted({field for record in truth.records.values() for field in record})
        raise UsageError(
            f"no source finds texts in these fields: {fields}",
            place=truth.file.name,
            hint="call them instruction and output, messages, or text and label; or give `id`s of rows",
        ) from error
    return SourceLine("truth", registry.load("source", name)(path=str(file)), (file,))


def _plan(recipe: Recipe, line: StepLine, source: SourceLine | None) -> Plan:
    """The recipe up to the step, or the labelled texts with the step and what it needs."""
    if source is None:
        whole = plan_of(recipe)
        return replace(whole, steps=(*whole.steps[: _place(whole, line)], line), max_failed=1.0)
    bare = plan_of(replace(recipe, sources=()))
    needed = (*_needed(line, bare.steps[: _place(bare, line)]), line)
    steps = tuple(replace(each, sources=(), only={}) for each in needed)
    return replace(bare, sources=(source,), steps=steps, limit=None, max_failed=1.0)


def _place(plan: Plan, line: StepLine) -> int:
    return [each.id for each in plan.steps].index(line.id)


def _needed(line: StepLine, before: Sequence[Any]) -> Iterator[StepLine]:
    """The steps whose columns a step reads, directly or through others, in order."""
    wanted = {name.partition(".")[0] for name in line.step.reads() if "." in name}
    needed: list[StepLine] = []
    for each in reversed(before):
        if isinstance(each, StepLine) and each.id in wanted:
            wanted |= {name.partition(".")[0] for name in each.step.reads() if "." in name}
            needed.append(each)
    yield from reversed(needed)


def _acted(rows: pl.DataFrame, bound: Bound) -> NDArray[np.bool_]:
    mask = pl.col("verdict").is_in(_ACTED)
    if bound.reason is not None:
        mask &= pl.col("reason") == bound.reason
    return rows.select(mask.fill_null(value=False)).to_series().to_numpy()
