"""`repeat`, the one control block: rounds of inner steps until enough rows are accepted.

An adding Make writes this round's rows from rows outside; every other inner step sees this round's
rows alone, with what was accepted before and what lies outside as `context.reference`. Of the rows
beyond the wanted number the last by id are rejected as `surplus`, so exactly N stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import polars as pl

from zhiling.pipeline import ledger
from zhiling.pipeline.plan import RepeatLine, StepLine, Until
from zhiling.pipeline.step import Make, Verdict
from zhiling.pipeline.store import Part, Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhiling.pipeline.runner import Runner


@runtime_checkable
class Stops(Protocol):
    """An inner step that ends the rounds."""

    def best_round(self, rows: pl.DataFrame) -> int | None:
        """The round to return, or None to go on.

        Args:
            rows: the accepted rows of all rounds so far, with the step's columns and `round`.
        """
        ...


def repeat(runner: Runner, position: int, line: RepeatLine) -> None:
    """Runs the rounds; the shortfall, where there is one, stands in the stage's counts."""
    outside = runner.table.kept()
    folder = f"{position:02d}-{line.id}"
    stage = Stage(id=line.id, kind="repeat", use="repeat", key=line.id, base_key=line.id, folder=folder)
    last = line.rounds
    for number in range(1, line.rounds + 1):
        _round(runner, position, line, number, outside)
        best = _stopped(runner, line)
        if best is not None:
            _reject(runner, stage, _of_rounds(runner, first=best + 1), "later_round")
            last = number
            break
        if _missing(runner, line.until)[0] <= 0:
            last = number
            break
    surplus = _surplus(runner, line.until)
    _reject(runner, stage, surplus, "surplus")
    missing, accepted = _missing(runner, line.until)
    stage.counts["repeat"] = {"rounds": last, "accepted": accepted, "shortfall": max(0, missing)}
    stage.done = True
    runner.run.manifest.stages.append(stage)
    runner.run.save()
    runner.listen({"event": "done", "step": line.id, "use": "repeat", "kind": "repeat", "round": last,
                   "counts": stage.counts, "seconds": 0.0, "reused": 0})  # fmt: skip


def _round(runner: Runner, position: int, line: RepeatLine, number: int, outside: NDArray[np.int64]) -> None:
    for step in line.steps:
        if isinstance(step.step, Make) and step.step.effect == "adds":
            visible = outside if step.step.material else outside[~runner.table.material[outside]]
            runner.take(position, step, runner.narrow(step, visible), number)
        else:
            this_round = _of_rounds(runner, first=number, last=number)
            accepted = _of_rounds(runner, last=number - 1)
            reference = np.concatenate([outside[~runner.table.material[outside]], accepted])
            runner.take(position, step, runner.narrow(step, this_round), number, reference)


def _of_rounds(runner: Runner, *, first: int = 1, last: int | None = None) -> NDArray[np.int64]:
    """Numbers of the kept rows that were made in rounds `first` to `last` (None: to the newest)."""
    kept = runner.table.kept()
    rounds = runner.table.rounds[kept].astype(np.int64)
    wanted = rounds >= first
    return kept[wanted if last is None else wanted & (rounds <= last)]


def _accepted(runner: Runner, until: Until) -> pl.DataFrame:
    """`id`, `n` and `slot` (the quota that it counts for) of accepted rows, in id order."""
    numbers = _of_rounds(runner)
    if until.column == "label":
        rows = runner.table.read(["id", "target"], numbers)
        slot = pl.col("target").str.json_path_match("$.labels[0]")
    else:
        rows = runner.table.read(["id", until.column], numbers)
        slot = pl.col(until.column)
    return rows.select("id", "n", slot.alias("slot")).sort("id")


def _missing(runner: Runner, until: Until) -> tuple[int, int]:
    """How many rows are still wanted, and how many count."""
    rows = _accepted(runner, until)
    if until.quotas:
        have = dict(rows.group_by("slot").len().iter_rows())
        return sum(max(0, want - have.get(slot, 0)) for slot, want in until.quotas.items()), rows.height
    if until.accepted is not None:
        return until.accepted - rows.height, rows.height
    return 1, rows.height


def _surplus(runner: Runner, until: Until) -> NDArray[np.int64]:
    rows = _accepted(runner, until)
    if until.quotas:
        rank = pl.int_range(pl.len()).over("slot")
        quota = pl.col("slot").replace_strict(dict(until.quotas), default=0, return_dtype=pl.Int64)
        over = rows.filter(rank >= quota)
    elif until.accepted is not None:
        over = rows.slice(until.accepted)
    else:
        over = rows.clear()
    return np.sort(over["n"].to_numpy().astype(np.int64))


def _stopped(runner: Runner, line: RepeatLine) -> int | None:
    found = next((step for step in line.steps if step.id == line.until.stop), None)
    if found is None or not isinstance(found.step, Stops):
        return None
    columns = [*found.step.reads(), *(f"{found.id}.{name}" for name in found.step.writes())]
    numbers = _of_rounds(runner)
    rows = runner.table.read(["id", *columns], numbers)
    rounds = pl.Series("round", runner.table.rounds[rows["n"].to_numpy()], dtype=pl.UInt16)
    return found.step.best_round(rows.with_columns(rounds).drop("n"))


def _reject(runner: Runner, stage: Stage, numbers: NDArray[np.int64], reason: str) -> None:
    if not len(numbers):
        return
    rejected = {"n": pl.Series(numbers, dtype=pl.UInt32), "verdict": str(Verdict.REJECT), "reason": reason}
    judged = ledger.lines(rejected, len(numbers))
    index = len(stage.parts)
    path = runner.run.write_frame(f"{stage.folder}/{reason}/ledger-{index:05d}.parquet", judged)
    stage.parts.append(Part(seen=len(numbers), ledger=path))
    stage.counts.setdefault(str(Verdict.REJECT), {})[reason] = len(numbers)
    runner.table.judge(judged)


__all__ = ["RepeatLine", "StepLine", "Stops", "repeat"]
