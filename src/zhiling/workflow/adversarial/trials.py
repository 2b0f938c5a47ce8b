"""Every arm on the same held-out rows, seed after seed; what is finished is kept on disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import TypeAdapter, ValidationError

from zhiling.adversarial.guards.rules import Alarm
from zhiling.encoders.sparse import require
from zhiling.errors import AwaitingBatch, DamagedFile, Interrupted, RunBusy, ZhilingError
from zhiling.pipeline.fingerprint import canonical, digest, file_digest
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import write_bytes
from zhiling.workflow.adversarial.arms import FILTER_ONCE, LOOP, Arm, Order, chosen
from zhiling.workflow.adversarial.bench import Bench, BlockLine, encoder_of, source_rows
from zhiling.workflow.adversarial.draw import Rows, Wanted
from zhiling.workflow.adversarial.student import answers
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import plan_of, run_fingerprint

FOLDER = "adversarial"
"""Under `runs`; no run of the project, so `status`, `report` and the like do not see it."""

State = Literal["done", "failed", "left_out"]


@dataclass(frozen=True)
class Options:
    """What is compared, and how.

    Attributes:
        arms: names; none: all. The controls are always among them.
        seeds: how many; each deals out the rows anew.
        rows: how many an arm that draws takes; None: as many as the loop accepted.
        wanted: how rows are dealt out.
    """

    arms: Sequence[str] = ()
    seeds: int = 3
    rows: int | None = None
    wanted: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True)
class Trial:
    """One arm with one seed.

    Attributes:
        arm: its name.
        seed: of rows and steps.
        state: done, failed (see `note`), or left out.
        note: what went wrong; where it was left out a key of `left_out` in `texts.yaml`.
        rows: that it made and kept.
        judged: of these, texts whose label is known.
        wrong: of these, with another label.
        cpu_s: CPU seconds of this process for these rows, without the vectors of what all arms are given.
        calls: questions to models, whether or not a stored reply answered.
        alarm: see `Written.alarm`.
        answers: the student's, in the order of the seed's test rows.
    """

    arm: str
    seed: int
    state: State
    note: str = ""
    rows: int = 0
    judged: int = 0
    wrong: int = 0
    cpu_s: float = 0
    calls: int = 0
    alarm: Alarm | None = None
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeedTrials:
    """One seed's arms.

    Attributes:
        seed: of rows and steps.
        tested: `unit`, `owner`, `text`, `label`; see `draw.Draw`.
        known: labelled rows that every student learns from.
        lines: lines without a label.
        size: rows that arms that draw take; 0 where none does.
        trials: by arm.
        made: arm → `text` and `label` of its rows.
    """

    seed: int
    tested: pl.DataFrame
    known: int
    lines: int
    size: int
    trials: Mapping[str, Trial]
    made: Mapping[str, pl.DataFrame]


class Work:
    """Everything that all seeds share.

    Raises:
        UsageError: no block, no encoder, or rows that cannot be dealt out.
        MissingExtra: scikit-learn is not installed.
    """

    def __init__(self, recipe: Recipe, options: Options, tell: Listener) -> None:
        require("sklearn.linear_model")
        self._recipe, self.options, self._tell = recipe, options, tell
        self._block = BlockLine.of(recipe)
        self.encoder = encoder_of(recipe)
        self.arms = self._wanted(chosen(options.arms))
        self._mark = run_fingerprint(recipe, plan_of(recipe))
        self.folder = recipe.root / "runs" / FOLDER / self._key()
        self._rows = Rows(source_rows(recipe, self.folder / "sources", tell), options.wanted)

    def _wanted(self, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        """The loop is asked first how many rows it accepts, where arms draw as many."""
        if self.options.rows is None and any(arm.draws for arm in arms):
            return chosen([LOOP, *(arm.name for arm in arms)])
        return arms

    def _key(self) -> str:
        """What a finished arm depends on, but for its own name, seed and number of rows."""
        wanted = self.options.wanted
        files = [Path(each) for each in (wanted.test_file, wanted.truth) if each is not None]
        digests = [file_digest(file) for file in files if file.is_file()]
        told = [wanted.test, wanted.shots, wanted.truth, wanted.test_file is not None, *digests]
        return digest(canonical([self._mark, told]))[:12]

    def seed(self, seed: int) -> SeedTrials:
        """All arms of one seed, the loop first.

        Raises:
            ZhilingError: what stands before the block failed; what fails in an arm is told of it alone.
        """
        bench = Bench(
            self._recipe, self._block, self.folder, seed, self._rows.deal(seed), self.encoder, self._tell,
            f"{FOLDER}-{self.folder.name}",
        )  # fmt: skip
        known, size = bench.known.height, self.options.rows
        trials: dict[str, Trial] = {}
        made: dict[str, pl.DataFrame] = {}
        for arm in sorted(self.arms, key=lambda arm: _SIZING.index(arm.name) if arm.name in _SIZING else 2):
            self._tell({"event": "arm", "arm": arm.name, "seed": seed})
            if size is None and arm.draws:
                size = _size(trials)
            trials[arm.name], made[arm.name] = _Desk(bench, self.folder / "arms").take(arm, size)
        ordered = {arm.name: trials[arm.name] for arm in self.arms}
        return SeedTrials(seed, bench.draw.tested, known, len(bench.lines), size or 0, ordered, made)


_SIZING = (LOOP, FILTER_ONCE)
"""Arms that come first, as their rows say how many others draw."""


def _size(trials: Mapping[str, Trial]) -> int | None:
    """As many rows as the loop accepted; where it failed or accepted none, as many as the filter did."""
    counts = [trials[name].rows for name in _SIZING if name in trials and trials[name].state == "done"]
    return next((count for count in counts if count), 0 if counts else None)


@dataclass(frozen=True)
class _Desk:
    """Takes an arm, or finds it taken before."""

    bench: Bench
    folder: Path

    def take(self, arm: Arm, size: int | None) -> tuple[Trial, pl.DataFrame]:
        """The arm and its rows; one that failed is tried again when asked again."""
        none = self.bench.known.clear()
        if why := arm.unfit and arm.unfit(self.bench):
            return Trial(arm.name, self.bench.seed, "left_out", why), none
        if arm.draws and size is None:
            return Trial(arm.name, self.bench.seed, "left_out", "no_size"), none
        name = f"{arm.name}-{self.bench.seed}" + (f"-{size}" if arm.draws else "")
        file, rows = self.folder / f"{name}.json", self.folder / f"{name}.parquet"
        if file.is_file() and rows.is_file():
            return _read(file), pl.read_parquet(rows, glob=False)
        try:
            trial, made = self._taken(arm, size or 0)
        except (AwaitingBatch, Interrupted, RunBusy):
            raise
        except ZhilingError as error:
            return Trial(arm.name, self.bench.seed, "failed", error.message), none
        self.folder.mkdir(parents=True, exist_ok=True)
        made.write_parquet(rows)
        write_bytes(file, _TRIAL.dump_json(trial))
        return trial, made

    def _taken(self, arm: Arm, size: int) -> tuple[Trial, pl.DataFrame]:
        bench = self.bench
        bench.warm()
        started = time.process_time()
        written = arm.make(Order(bench, arm.name, size))
        spent = time.process_time() - started
        made = written.rows
        judged = bench.with_truth(made)
        learnt = made if written.alone else pl.concat([bench.known, made])
        trial = Trial(
            arm.name, bench.seed, "done", rows=made.height, judged=judged.height,
            wrong=judged.filter(pl.col("label") != pl.col("true")).height,
            cpu_s=spent, calls=written.calls, alarm=written.alarm,
            answers=tuple(answers(learnt, bench.draw.tested["text"], bench.encoder)),
        )  # fmt: skip
        return trial, made


_TRIAL = TypeAdapter(Trial)


def _read(file: Path) -> Trial:
    """A trial that was finished.

    Raises:
        DamagedFile: it cannot be read.
    """
    try:
        return _TRIAL.validate_json(file.read_bytes())
    except ValidationError as error:
        raise DamagedFile(
            f"no finished arm: {error.errors()[0]['msg']}",
            place=str(file),
            hint="remove the file; the same command makes it again",
        ) from error
