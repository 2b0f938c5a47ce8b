"""The runner: sources and steps in order, into a run folder that can be left at any moment.

It alone numbers, stores, joins and counts. A stage is reused whole where its key was computed before
(in this run: resume; in an earlier one: carry over), else row by row where the step's answer for a row
depends on that row alone. After every stage the books must balance:

    in + made = kept + rejected + failed + replaced
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.errors import TooManyFailures
from zhiling.pipeline import fingerprint, ledger
from zhiling.pipeline.apply import Outcome, joined, learn
from zhiling.pipeline.books import balance, summarise
from zhiling.pipeline.earlier import find_earlier
from zhiling.pipeline.engines import local
from zhiling.pipeline.engines.ahead import following_lines
from zhiling.pipeline.engines.engine import Engine, Link, Work
from zhiling.pipeline.number import number_made, number_source
from zhiling.pipeline.plan import Plan, RepeatLine, SourceLine, StepLine
from zhiling.pipeline.repeat import Stops, repeat
from zhiling.pipeline.step import Context, State, Step, Verdict
from zhiling.pipeline.store import Part, Project, RunFolder, Stage
from zhiling.pipeline.table import RowTable

Listener = Callable[[dict[str, Any]], None]

MIN_FAILURES = 10
"""A run never stops for fewer failed rows than this, whatever share they are."""


class Runner:
    """One run of a plan."""

    def __init__(
        self, plan: Plan, run: RunFolder, project: Project, listen: Listener, engine: Engine | None = None
    ) -> None:
        self.plan, self.run, self.project, self.listen = plan, run, project, listen
        self.engine: Engine = engine or local.LocalEngine()
        self.table = RowTable(run)
        # what lost a file is computed again
        self._old = {stage.folder: stage for stage in run.manifest.stages if run.holds(stage)}
        run.manifest.stages = []

    def rows(self) -> RowTable:
        """Reads all sources and takes all steps; returns the rows with their states."""
        for position, line in enumerate(self.plan.sources):
            self._read(position, line)
        self._collect_bad()
        for offset, line in enumerate(self.plan.steps):
            position = len(self.plan.sources) + offset
            if isinstance(line, RepeatLine):
                repeat(self, position, line)
            else:
                self.take(position, line, self.select(line))
        return self.table

    def _read(self, position: int, line: SourceLine) -> None:
        key = fingerprint.source_key(line.source, line.id, (*line.files, *line.further), self.plan.root)
        key = fingerprint.digest(key.encode(), str(self.plan.limit).encode())
        stage = Stage(
            id=line.id, kind="source", use=line.source.name, key=key, base_key=key,
            folder=f"{position:02d}-{line.id}/{key[:16]}",
        )  # fmt: skip
        if self._resume(stage) or self._carry_source(stage):
            return
        started = time.perf_counter()
        copies: Counter[str] = Counter()
        room = self.plan.limit if self.plan.limit is not None else np.inf
        self._announce(stage, total=None)
        for index, batch in enumerate(line.source.read(line.files, self.plan.root)):
            frame = batch.rows.head(int(min(room, batch.rows.height)))
            room -= frame.height
            rows = number_source(line, frame, len(self.table), copies)
            bad = pl.DataFrame(
                [(b.place, b.cls, b.message, b.excerpt) for b in batch.bad], schema=BAD, orient="row"
            ).with_columns(pl.lit(line.id).alias("source"))
            self._store(stage, index, {"rows": rows, "bad": bad})
            if room <= 0:
                break
        self._close(stage, started)

    def select(self, line: StepLine) -> NDArray[np.int64]:
        """Numbers of the rows that a step of the recipe sees."""
        numbers = self.table.kept(material=None if line.step.material else False)
        return self.narrow(line, numbers)

    def narrow(self, line: StepLine, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `numbers` that `from` and `only` let through."""
        if not line.sources and not line.only:
            return numbers
        columns = {name: self.run.manifest.latest(name) for name in line.only}
        frame = self.table.read(["via", *columns.values()], numbers)
        keep = pl.lit(True)
        if line.sources:
            keep &= pl.col("via").list.set_intersection(list(line.sources)).list.len() > 0
        for name, values in line.only.items():
            keep &= pl.col(columns[name]).is_in(list(values)).fill_null(False)
        return frame.filter(keep)["n"].to_numpy().astype(np.int64)

    def take(self, position: int, line: StepLine, numbers: NDArray[np.int64], round: int = 0,
             reference: NDArray[np.int64] | None = None) -> None:  # fmt: skip
        """One step over these rows: reused, resumed or computed."""
        step = line.step
        base = self._base_key(line, round)
        keys = self._keys(step, numbers)
        outside = self._keys(step, reference) if reference is not None else None
        parts = [base.encode(), fingerprint.input_digest(keys["key"]).encode()]
        if outside is not None:
            parts.append(fingerprint.input_digest(outside["key"]).encode())
        key = fingerprint.digest(*parts)
        name = f"{line.id}-r{round:02d}" if round else line.id
        stage = Stage(
            id=line.id, kind=step.kind, use=step.name, key=key, base_key=base, round=round,
            folder=f"{position:02d}-{name}/{key[:16]}",
        )  # fmt: skip
        if self._resume(stage):
            return
        self._compute(stage, line, keys, reference)

    def _base_key(self, line: StepLine, round: int = 0) -> str:
        """The hash of everything but the rows that shapes a step's result."""
        step = line.step
        encoder = self.plan.encoder_identity() if self.plan.encoder_identity and step.uses_encoder() else None
        base = fingerprint.base_key(
            step, line.id, seed=self.plan.seed, root=self.plan.root, encoder=encoder, round=round
        )
        beside = [step.outside(self.plan.root, self.run.id)]
        if self.plan.role_identity:
            beside += map(self.plan.role_identity, step.roles())
        # a step without any has the key that it had before there were standing indexes and models
        known = [each.encode() for each in beside if each]
        return fingerprint.digest(base.encode(), *known) if known else base

    def _keys(self, step: Step, numbers: NDArray[np.int64]) -> pl.DataFrame:
        """`n`, `id` and `key` of rows, in order of `n`."""
        others = [name for name in step.reads() if name not in fingerprint.CONTENT_COLUMNS]
        by_group = step.scope == "group"
        pieces: list[pl.DataFrame] = []
        columns = ["id", *others, *(["group"] if by_group and "group" not in others else [])]
        size = max(1, len(numbers)) if by_group else local.BATCH_ROWS
        for frame in self.table.batches(columns, numbers, size):
            keyed = fingerprint.row_keys(frame, others, by_group=by_group)
            pieces.append(frame.select("n", "id").with_columns(keyed))
        empty = pl.DataFrame(schema={"n": pl.UInt32, "id": pl.String, "key": pl.UInt64})
        return pl.concat(pieces) if pieces else empty

    def _compute(
        self, stage: Stage, line: StepLine, keys: pl.DataFrame, reference: NDArray[np.int64] | None
    ) -> None:
        started = time.perf_counter()
        step = line.step
        numbers = keys["n"].to_numpy().astype(np.int64)
        unfinished = self._old.get(stage.folder)
        done = len(unfinished.parts) if unfinished and unfinished.key == stage.key else 0
        if unfinished and done:  # its finished parts are adopted below, so their counts are too
            stage.counts = {name: dict(counts) for name, counts in unfinished.counts.items()}
        self.run.manifest.stages.append(stage)
        earlier = find_earlier(self.project, self.run, stage, whole_only=step.scope == "table" or step.fits())
        if earlier and earlier.failed and step.scope == "table":
            earlier = None
        self._announce(stage, total=len(numbers))
        batches = _keyed(keys, local.cut(step, self.table, numbers))
        # what ends the rounds tells of each of them, even of one without rows
        fresh = done < len(batches) or isinstance(step, Stops)
        context = self._context(line, stage, numbers, reference, fresh=fresh)
        for part in unfinished.parts if unfinished and done else []:
            self._adopt(stage, part)
        splits = [earlier.split(batch) if earlier else (None, batch) for batch in batches[done:]]
        unknown = [rows for _, rows in splits if rows.height]
        work = Work(Link(step, context), self.table.files(), partial(self._ahead, line))
        with closing(self.engine.outcomes(work, unknown)) as outcomes:
            for index, (known, rows) in enumerate(splits, start=done):
                parts = [earlier.carry(known)] if earlier and known is not None and known.height else []
                parts += [next(outcomes)] if rows.height else []
                if earlier and parts and known is not None and known.height:
                    stage.owner = earlier.run.id
                    stage.reused += known.height
                self._take_in(stage, line, index, batches[index], joined(parts))
        self._close(stage, started)

    def _take_in(
        self, stage: Stage, line: StepLine, index: int, batch: pl.DataFrame, outcome: Outcome
    ) -> None:
        """Numbers and stores what came of a batch."""
        made = outcome.made
        if made is not None:
            made = number_made(self.table, line, made, stage, batch)
        measures = outcome.measures
        if measures is not None and stage.kind == "measure":
            stage.counts["columns"] = dict.fromkeys(
                (name.partition(".")[2] for name in measures.columns[1:]), 1
            )
        frames = {"rows": made, "ledger": outcome.ledger, "measures": measures}
        self._store(stage, index, frames, seen=batch.height)

    def _ahead(self, line: StepLine) -> tuple[Link, ...]:
        """The next steps that could be computed with this one, none of them begun before."""
        links: list[Link] = []
        for following in following_lines(line, self.plan):
            base = self._base_key(following)
            stage = Stage(
                id=following.id, kind=following.step.kind, use=following.step.name, key="", base_key=base,
                folder="",
            )  # fmt: skip
            begun = any(old.base_key == stage.base_key for old in self._old.values())
            if begun or find_earlier(self.project, self.run, stage, whole_only=False):
                break
            none = np.empty(0, dtype=np.int64)
            links.append(Link(following.step, self._context(following, stage, none, None, fresh=False)))
        return tuple(links)

    def _context(
        self, line: StepLine, stage: Stage, numbers: NDArray[np.int64],
        reference: NDArray[np.int64] | None, *, fresh: bool,
    ) -> Context:  # fmt: skip
        step = line.step
        outside = None
        if reference is not None:
            outside = self.table.read(["id", *step.reads()], reference).drop("n")
        context = Context(
            step_id=line.id, seed=self.plan.seed, round=stage.round, root=self.plan.root,
            run=self.run.id, load_encoder=self.plan.load_encoder, reference=outside,
            earlier=self._earlier_rounds(stage), load_models=self.plan.load_models if step.roles() else None,
            states=self._states(stage), budget_left=self._budget_left(stage),
        )  # fmt: skip
        if not step.fits():
            return context
        state = self.run.path / stage.folder / "state"
        if fresh and not (state / ".done").exists():
            state.mkdir(parents=True, exist_ok=True)
            learn(step, self.table.read(["id", *step.reads()], numbers).drop("n"), context, state)
            (state / ".done").touch()
        return replace(context, state=state)

    def _earlier_rounds(self, stage: Stage) -> tuple[Path, ...]:
        """The states of the same step in the rounds before."""
        return tuple(
            self.run.path / each.folder / "state"
            for each in self.run.manifest.stages
            if each.id == stage.id and each.round < stage.round
        )

    def _states(self, stage: Stage) -> tuple[State, ...]:
        """What the steps of the same `repeat` learnt before."""
        block = _block(stage)
        return tuple(
            State(each.use, each.round, folder)
            for each in self.run.manifest.stages
            if stage.round and each.round and each is not stage and _block(each) == block
            if (folder := self.run.path / each.folder / "state").is_dir()
        )

    def _budget_left(self, stage: Stage) -> float | None:
        return self.plan.budget_left() if self.plan.budget_left and stage.round else None

    # ---- storing ----

    def _resume(self, stage: Stage) -> bool:
        """Takes a finished stage of this very run over, from an earlier process."""
        old = self._old.get(stage.folder)
        if old is None or old.key != stage.key or not old.done:
            return False
        fresh = old.model_copy(update={"parts": []})
        self.run.manifest.stages.append(fresh)
        for part in old.parts:
            self._adopt(fresh, part)
        self._books(fresh)
        self.listen({"event": "reused", "step": stage.id, "run": self.run.id, "counts": fresh.counts})
        return True

    def _carry_source(self, stage: Stage) -> bool:
        """Copies a source that an earlier run read from the same files with the same settings."""
        earlier = find_earlier(self.project, self.run, stage, whole_only=True)
        if earlier is None:
            return False
        started = time.perf_counter()
        stage.owner = earlier.run.id
        for index, part in enumerate(earlier.stage.parts):
            rows = earlier.run.read_frame(part.rows) if part.rows else None
            bad = earlier.run.read_frame(part.bad) if part.bad else None
            if rows is not None:
                first = len(self.table)
                numbers = pl.Series(np.arange(first, first + rows.height), dtype=pl.UInt32)
                rows = rows.with_columns(numbers.alias("n"))
                stage.reused += rows.height
            self._store(stage, index, {"rows": rows, "bad": bad})
        self._close(stage, started)
        return True

    def _adopt(self, stage: Stage, part: Part) -> None:
        if part.rows:
            tasks = self.run.read_frame(part.rows, ["task"])["task"]
            self.table.add_rows(part.rows, part.first, tasks, stage.kind, stage.round)
        if part.measures:
            self.table.add_measures(stage.id, part.measures)
        if part.ledger:
            self.table.judge(self.run.read_frame(part.ledger, ["n", "verdict"]))
        stage.parts.append(part)

    def _store(
        self, stage: Stage, index: int, frames: Mapping[str, pl.DataFrame | None], seen: int = 0
    ) -> None:
        """Writes a batch's `rows`, `ledger`, `measures` and `bad`, and lists them in the manifest."""
        if stage not in self.run.manifest.stages:
            self.run.manifest.stages.append(stage)
        part = Part(seen=seen)
        for kind, frame in frames.items():
            if frame is not None and (frame.height or kind == "ledger"):
                name = f"{stage.folder}/{kind}-{index:05d}.parquet"
                setattr(part, kind, self.run.write_frame(name, frame))
        rows = frames.get("rows")
        if rows is not None and rows.height:
            part.first, part.last = len(self.table), len(self.table) + rows.height
        self._count(stage, rows, frames.get("ledger"), frames.get("bad"))
        self._adopt(stage, part)
        self.run.save_part()
        done = sum(each.seen for each in stage.parts) or part.last
        self.listen({"event": "part", "step": stage.id, "seen": done, "round": stage.round})
        self._check_failures()

    def _count(
        self, stage: Stage, rows: pl.DataFrame | None, judged: pl.DataFrame | None, bad: pl.DataFrame | None
    ) -> None:
        totals = stage.counts.setdefault("rows", {})
        if rows is not None:
            totals["out"] = totals.get("out", 0) + rows.height
        if bad is not None:
            totals["bad"] = totals.get("bad", 0) + bad.height
        if judged is not None:
            for verdict, reasons in ledger.tally(judged).items():
                counts = stage.counts.setdefault(verdict, {})
                for reason, number in reasons.items():
                    counts[reason] = counts.get(reason, 0) + number

    def _check_failures(self) -> None:
        """Failed rows and failed tries against all rows and those tries: each would have been a row."""
        stages = self.run.manifest.stages
        tries = sum((Counter(stage.counts.get(ledger.ATTEMPT, {})) for stage in stages), Counter[str]())
        classes = sum((Counter(stage.counts.get(Verdict.FAILED, {})) for stage in stages), tries)
        failed, total = classes.total(), len(self.table) + tries.total()
        if failed > max(MIN_FAILURES, self.plan.max_failed * total):
            reasons = ", ".join(f"{name} {number}" for name, number in classes.most_common(5))
            allowed = int(max(MIN_FAILURES, self.plan.max_failed * total))
            raise TooManyFailures(
                f"{failed} of {total} rows failed ({reasons}); allowed are {allowed}",
                hint="see `zhiling rows --failed`; mend the cause or raise `max_failed`, then `zhiling run`",
            )

    def _close(self, stage: Stage, started: float) -> None:
        if stage not in self.run.manifest.stages:
            self.run.manifest.stages.append(stage)
        stage.done, stage.seconds = True, time.perf_counter() - started
        self.run.save()
        self._books(stage)
        self.listen({"event": "done", "step": stage.id, "use": stage.use, "kind": stage.kind,
                     "round": stage.round, "counts": stage.counts, "seconds": round(stage.seconds, 3),
                     "reused": stage.reused})  # fmt: skip

    def _books(self, stage: Stage) -> None:
        balance(self.totals(), stage.id)

    def totals(self) -> dict[str, Any]:
        """The run's counts so far; see `summarise`."""
        return summarise(self.run.manifest.stages, self.table)

    def _announce(self, stage: Stage, total: int | None) -> None:
        self.listen({"event": "start", "step": stage.id, "use": stage.use, "kind": stage.kind, "total": total,
                     "round": stage.round})  # fmt: skip

    def _collect_bad(self) -> None:
        frames = [
            self.run.read_frame(part.bad)
            for stage in self.run.manifest.stages
            for part in stage.parts
            if part.bad
        ]
        if frames:
            self.run.write_frame("bad.parquet", pl.concat(frames))


BAD: dict[str, pl.DataType] = {
    "place": pl.String(),
    "class": pl.String(),
    "message": pl.String(),
    "excerpt": pl.String(),
}


def _block(stage: Stage) -> str:
    """The number of the recipe's line, which all steps of a `repeat` share."""
    return stage.folder.partition("-")[0]


def _keyed(keys: pl.DataFrame, batches: Sequence[NDArray[np.int64]]) -> list[pl.DataFrame]:
    """`n`, `id` and `key` of each batch, given those of all rows in order of `n`."""
    return [keys[np.searchsorted(keys["n"].to_numpy(), batch)] for batch in batches]
