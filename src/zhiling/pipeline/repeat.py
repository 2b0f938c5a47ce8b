"""`repeat`, the one control block: rounds of inner steps until enough rows are accepted.

An adding Make writes this round's rows from rows outside; every other inner step sees this round's
rows alone, with what was accepted before and what lies outside (material too, for a step that sees it)
as `context.reference`. Of the rows beyond the wanted number the last by id are rejected as `surplus`,
so exactly N stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import polars as pl

from zhiling.pipeline import ledger
from zhiling.pipeline.plan import RepeatLine, StepLine
from zhiling.pipeline.step import Make, Verdict
from zhiling.pipeline.store import Part, Stage
from zhiling.rows.target import LABEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhiling.pipeline.runner import Runner


@runtime_checkable
class Stops(Protocol):
    """An inner step that ends the rounds."""

    def best_round(self, rows: pl.DataFrame, states: Sequence[Path], *, ended: bool) -> int | None:
        """The round to return, or None to go on.

        Args:
            rows: the accepted rows of all rounds so far, with the step's columns and `round`.
            states: the folders that the step's `fit` filled, one a round, those without rows among them.
            ended: no round follows, so that None is the last one.
        """
        ...


def repeat(runner: Runner, position: int, line: RepeatLine) -> None:
    """Runs the rounds; the shortfall, where there is one, stands in the stage's counts."""
    _Rounds(runner, position, line).run()


class _Rounds:
    """One `repeat` block: its own rows are those made since it began."""

    def __init__(self, runner: Runner, position: int, line: RepeatLine) -> None:
        self._runner, self._position, self._line = runner, position, line
        self._outside = runner.table.kept()
        self._begin = len(runner.table)
        folder = f"{position:02d}-{line.id}"
        self._stage = Stage(
            id=line.id, kind="repeat", use="repeat", key=line.id, base_key=line.id, folder=folder
        )

    def run(self) -> None:
        """Rounds until enough is accepted, a step says stop, or the limit is reached."""
        number = 0
        for number in range(1, self._line.rounds + 1):
            self._round(number)
            best = self._best_round(ended=number == self._line.rounds)
            if best is not None:
                self._reject(self._made(first=best + 1), "later_round")
                break
            if self._missing(self._accepted()) <= 0:
                break
        self._reject(self._surplus(self._accepted()), "surplus")
        self._close(number)

    def _round(self, number: int) -> None:
        table, runner = self._runner.table, self._runner
        rows_outside = self._outside[~table.material[self._outside]]
        before = self._made(last=number - 1)
        for step in self._line.steps:
            visible = self._outside if step.step.material else rows_outside
            if isinstance(step.step, Make) and step.step.effect == "adds":
                told = before if step.step.recalls else None
                runner.take(self._position, step, runner.narrow(step, visible), number, told)
                continue
            this_round = self._made(first=number, last=number)
            reference = np.concatenate([visible, before])
            runner.take(self._position, step, runner.narrow(step, this_round), number, reference)

    def _made(self, *, first: int = 1, last: int | None = None) -> NDArray[np.int64]:
        """Numbers of the kept rows of this block from rounds `first` to `last` (None: to the newest)."""
        kept = self._runner.table.kept()
        kept = kept[kept >= self._begin]
        rounds = self._runner.table.rounds[kept].astype(np.int64)
        wanted = rounds >= first
        return kept[wanted if last is None else wanted & (rounds <= last)]

    def _accepted(self) -> pl.DataFrame:
        """`id`, `n` and `slot` (the quota that it counts for) of accepted rows, in id order."""
        column = self._line.until.column
        read = "target" if column == "label" else column
        rows = self._runner.table.read(["id", read], self._made())
        slot = LABEL if column == "label" else pl.col(column)
        return rows.select("id", "n", slot.alias("slot")).sort("id")

    def _missing(self, accepted: pl.DataFrame) -> int:
        """How many rows are still wanted; 1 where only a step can end the rounds."""
        until = self._line.until
        if until.quotas:
            have = dict(accepted.group_by("slot").len().iter_rows())
            return sum(max(0, want - have.get(slot, 0)) for slot, want in until.quotas.items())
        return 1 if until.accepted is None else until.accepted - accepted.height

    def _surplus(self, accepted: pl.DataFrame) -> NDArray[np.int64]:
        until = self._line.until
        if until.quotas:
            rank = pl.int_range(pl.len()).over("slot")
            quota = pl.col("slot").replace_strict(dict(until.quotas), default=0, return_dtype=pl.Int64)
            over = accepted.filter(rank >= quota)
        else:
            over = accepted.clear() if until.accepted is None else accepted.slice(until.accepted)
        return np.sort(over["n"].to_numpy().astype(np.int64))

    def _best_round(self, *, ended: bool) -> int | None:
        found = next((step for step in self._line.steps if step.id == self._line.until.stop), None)
        if found is None or not isinstance(found.step, Stops):
            return None
        columns = [*found.step.reads(), *(f"{found.id}.{name}" for name in found.step.writes())]
        rows = self._runner.table.read(["id", *columns], self._made())
        rounds = pl.Series("round", self._runner.table.rounds[rows["n"].to_numpy()], dtype=pl.UInt16)
        run = self._runner.run
        stages = [stage for stage in run.manifest.stages if stage.id == found.id]
        states = [run.path / stage.folder / "state" for stage in stages]
        return found.step.best_round(rows.with_columns(rounds).drop("n"), states, ended=ended)

    def _reject(self, numbers: NDArray[np.int64], reason: str) -> None:
        if not len(numbers):
            return
        rejected = {
            "n": pl.Series(numbers, dtype=pl.UInt32),
            "verdict": str(Verdict.REJECT),
            "reason": reason,
        }
        judged = ledger.lines(rejected, len(numbers))
        name = f"{self._stage.folder}/{reason}/ledger-{len(self._stage.parts):05d}.parquet"
        self._stage.parts.append(Part(seen=len(numbers), ledger=self._runner.run.write_frame(name, judged)))
        self._stage.counts.setdefault(str(Verdict.REJECT), {})[reason] = len(numbers)
        self._runner.table.judge(judged)

    def _close(self, rounds: int) -> None:
        accepted, stage, runner = self._accepted(), self._stage, self._runner
        wanted = self._line.until.accepted is not None or self._line.until.quotas
        shortfall = max(0, self._missing(accepted)) if wanted else 0
        stage.counts["repeat"] = {"rounds": rounds, "accepted": accepted.height, "shortfall": shortfall}
        stage.done = True
        runner.run.manifest.stages.append(stage)
        runner.run.save()
        runner.listen({"event": "done", "step": stage.id, "use": "repeat", "kind": "repeat", "round": rounds,
                       "counts": stage.counts, "seconds": 0.0, "reused": 0})  # fmt: skip


__all__ = ["RepeatLine", "StepLine", "Stops", "repeat"]
