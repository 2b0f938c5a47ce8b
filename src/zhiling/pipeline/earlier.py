"""What an earlier run already knows: results found by key and carried over to this run's numbers.

Results are copied, not pointed at, so every run folder stands alone and an old run can be deleted at
any time (see docs/adr/0002).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from zhiling.errors import DamagedFile
from zhiling.pipeline import ledger
from zhiling.pipeline.apply import Outcome
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Project, RunFolder, Stage

if TYPE_CHECKING:
    from pathlib import Path

_ROWS = ["id", "messages", "alternatives", "task", "target", "language", "tools", "extra", "origin"]


class Earlier:
    """One finished or half finished stage of an earlier run."""

    def __init__(self, run: RunFolder, stage: Stage) -> None:
        self.run, self.stage = run, stage

    @cached_property
    def _ids(self) -> pl.DataFrame:
        """`n` and `id` of every row of that run."""
        frames = [
            self.run.read_frame(part.rows, ["n", "id"])
            for stage in self.run.manifest.stages
            for part in stage.parts
            if part.rows
        ]
        return pl.concat(frames)

    @property
    def failed(self) -> bool:
        """Whether a row failed, or an attempt did: a table step then has to see all rows again, not these."""
        return any(self.stage.counts.get(name) for name in (str(Verdict.FAILED), ledger.ATTEMPT))

    @cached_property
    def _ledger(self) -> pl.DataFrame:
        """Lines of rows that did not fail (a failed row is tried again), by id."""
        frames = [self.run.read_frame(part.ledger) for part in self.stage.parts if part.ledger]
        lines = pl.concat(frames).join(self._ids, on="n").drop("n")
        unfinished = lines.filter(pl.col("verdict").is_in([str(Verdict.FAILED), ledger.ATTEMPT]))["id"]
        return lines.filter(~pl.col("id").is_in(unfinished.implode()))

    @cached_property
    def _measures(self) -> pl.DataFrame | None:
        frames = [self.run.read_frame(part.measures) for part in self.stage.parts if part.measures]
        return pl.concat(frames).join(self._ids, on="n").drop("n") if frames else None

    @cached_property
    def _made(self) -> pl.DataFrame | None:
        frames = [self.run.read_frame(part.rows, _ROWS) for part in self.stage.parts if part.rows]
        if not frames:
            return None
        origin = pl.col("origin").struct
        return (
            pl.concat(frames)
            .rename({"id": "known_id"})
            .with_columns(origin.field("parents"), origin.field("group"))
            .drop("origin")
            .with_columns(pl.col("parents").list.first().alias("id"))
        )

    def split(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows whose answer is known (same id, same key), and the others."""
        known = self._ledger.select("id", "key")
        keyed = rows.select("n", "id", "key")
        numbers = keyed.join(known, on=["id", "key"], how="semi", nulls_equal=True)["n"]
        mask = rows["n"].is_in(numbers.implode())
        return rows.filter(mask), rows.filter(~mask)

    def carry(self, rows: pl.DataFrame) -> Outcome:
        """The known answers under this run's numbers."""
        numbers = rows.select("n", "id")
        lines = self._ledger.join(numbers, on="id").select(list(ledger.LEDGER)).sort("n")
        measures = made = None
        if self._measures is not None:
            measures = self._measures.join(numbers, on="id").drop("id").sort("n")
            measures = measures.select("n", pl.exclude("n"))
        if self._made is not None:
            made = self._made.join(numbers, on="id", maintain_order="left").drop("id", "n")
        return Outcome(lines, measures, made if made is not None and made.height else None)


def find_earlier(project: Project, run: RunFolder, stage: Stage, *, whole_only: bool) -> Earlier | None:
    """The newest other run that holds this stage with the same rows, else one that holds the same step.

    With `whole_only` the second does not count.
    """
    partial: Earlier | None = None
    for path in reversed(project.run_paths()):
        if path == run.path:
            continue
        other = _open(path)
        for candidate in other.manifest.stages if other else []:
            if other is None or candidate.round != stage.round or not candidate.parts:
                continue
            same = candidate.key == stage.key and candidate.done
            if not same and (candidate.base_key != stage.base_key or partial is not None):
                continue
            if not all(map(other.holds, other.manifest.stages)):
                break  # a run that lost a file is no cache
            partial = Earlier(other, candidate)
            if same:
                return partial
    return None if whole_only else partial


def _open(path: Path) -> RunFolder | None:
    """A run, or None where it is damaged or of another format: a cache that cannot be read holds nothing."""
    try:
        return RunFolder.open(path)
    except DamagedFile:
        return None
