"""The recipe as a whole: rows, gates, split, export, training, evaluation, report; one run folder.

A run that was left (Ctrl-C, kill, a full disk, a budget) goes on where it stood; a recipe that changed
makes a new run, which carries over everything that the change leaves as it was.
"""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PanicException

from zhiling.errors import (
    GateFailed,
    Interrupted,
    MissingInput,
    Paused,
    UsageError,
    ZhilingError,
)
from zhiling.llm.limits import Deadline
from zhiling.llm.location import located
from zhiling.pipeline import fingerprint
from zhiling.pipeline.books import summarise
from zhiling.pipeline.engines.engine import Engine, open_engine
from zhiling.pipeline.ledger import ATTEMPT
from zhiling.pipeline.plan import Plan, SourceLine, steps_of
from zhiling.pipeline.runner import Listener, Runner
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Manifest, Project, RunFolder, write_bytes
from zhiling.pipeline.table import RowTable, restore
from zhiling.workflow.document import plain
from zhiling.workflow.encoder_once import EncoderOnce
from zhiling.workflow.models import RunModels, role_identities, spending, told
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.remote import fetched

STAGES = ("rows", "export", "train", "evaluate", "report")
"""What a run does after its steps, in order; `until` names the last."""


@dataclass(frozen=True)
class Run:
    """A run on disk: its rows as frames, its counts and its results."""

    folder: RunFolder
    project: Project

    @property
    def id(self) -> str:
        """The run's name."""
        return self.folder.id

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def counts(self) -> Mapping[str, Any]:
        """in, made, kept, material, rejected, failed, replaced, bad, attempts."""
        return self.folder.manifest.counts

    def table(self) -> RowTable:
        """All rows with their states."""
        return restore(self.folder, self.folder.manifest.stages)

    def rows(self, split: str | None = None) -> pl.DataFrame:
        """The exported rows, of one split part if named, with a column `split`.

        Raises:
            MissingInput: the run was left or stopped before its rows were split.
        """
        if not (self.path / "split.parquet").is_file():
            raise MissingInput(
                f"run {self.id!r} has not come to its split: it is {self.folder.manifest.state}",
                hint="`zhiling run` goes on with it; `zhiling rows` shows what it has",
            )
        table = self.table()
        columns = [
            "id",
            "content",
            "messages",
            "alternatives",
            "task",
            "target",
            "language",
            "tools",
            "origin",
            "extra",
        ]
        rows = table.read(columns, table.exported())
        assigned = self.folder.read_frame("split.parquet", ["n", "split"])
        rows = rows.join(assigned, on="n", how="left", maintain_order="left")
        return rows if split is None else rows.filter(pl.col("split") == split)

    def summary(self, exit_code: int = 0) -> dict[str, Any]:
        """The last event of `run --json`."""
        manifest = self.folder.manifest
        return {
            "event": "summary",
            "run": self.id,
            "folder": str(self.path),
            "counts": manifest.counts,
            "gates": manifest.gates,
            "seconds": round(manifest.seconds, 3),
            "usd": manifest.usd,
            "exit": exit_code,
        }


def open_run(path: str | Path = ".") -> Run:
    """A run by its folder, or the newest one of the project that `path` is the folder of.

    Raises:
        MissingInput: there is none.
        DamagedFile: its manifest cannot be read.
    """
    found = Path(path).resolve()
    if (found / "manifest.json").is_file():
        return Run(RunFolder.open(found), Project(found.parent.parent))
    project = Project(found)
    return Run(RunFolder.open(project.newest()), project)


def plan_of(recipe: Recipe) -> Plan:
    """The pipeline part of a recipe, with the files of its sources.

    Raises:
        MissingInput: a source's path matches nothing.
    """
    lines: list[SourceLine] = []
    for entry in recipe.sources:
        place = recipe.document.place(("sources", recipe.sources.index(entry), "path"))
        try:
            paths = fetched(entry.source.paths(), recipe.root)
            files = fingerprint.matching(paths, recipe.root, what=f"source {entry.id!r}")
        except MissingInput as error:
            raise MissingInput(error.message, place=place, hint=error.hint) from error
        further = entry.source.further_files(files, recipe.root)
        lines.append(SourceLine(entry.id, entry.source, tuple(files), tuple(further)))
    load, identity = encoder_of(recipe)
    return Plan(
        name=recipe.name, root=recipe.root, seed=recipe.seed, sources=tuple(lines), steps=recipe.steps,
        gates=recipe.gates, limit=recipe.limit, max_failed=recipe.max_failed,
        load_encoder=load, encoder_identity=identity, role_identity=role_identities(recipe),
    )  # fmt: skip


def encoder_of(recipe: Recipe) -> tuple[Callable[[], Any] | None, Callable[[], str] | None]:
    """How to load the recipe's encoder, and its identity; both None where it names none."""
    settings = recipe.encoder
    if settings is None:
        return None, None
    place = recipe.document.place(("encoder",))

    load = EncoderOnce(_absolute(settings, recipe.root), place)
    return load, lambda: load().identity


def _absolute(settings: Mapping[str, Any], root: Path) -> dict[str, Any]:
    path = settings.get("path")
    return {**settings, "path": located(path, root)} if isinstance(path, str) else dict(settings)


def run_fingerprint(recipe: Recipe, plan: Plan) -> str:
    """What the whole run depends on: the resolved recipe, all files that it names, the version of zhiling."""
    sources = [
        fingerprint.source_key(line.source, line.id, (*line.files, *line.further), plan.root)
        for line in plan.sources
    ]
    evaluation = recipe.evaluate.files() if recipe.evaluate else []
    evaluation += recipe.train.files() if recipe.train else []
    files = fingerprint.matching(evaluation, recipe.root, what="evaluate")
    beside = recipe.diversity.reference
    files += fingerprint.matching([beside] if beside else [], recipe.root, what="diversity")
    steps = [file for line in recipe.steps for inner in steps_of(line) for file in inner.step.files()]
    files += fingerprint.matching(steps, recipe.root, what="steps")
    tree = {key: each for key, each in recipe.document.tree.items() if key not in _BESIDE_THE_RESULT}
    # an endpoint that moved, or a price, makes no other run: what was begun goes on, within its limits
    tree |= {"models": [plan.role_identity(role) for role in recipe.roles()]} if plan.role_identity else {}
    digests = [fingerprint.file_digest(file) for file in files]
    encoder = plan.encoder_identity() if plan.encoder_identity else None
    return fingerprint.digest(
        fingerprint.canonical([version("zhiling"), plain(tree), sources, digests, encoder])
    )


_BESIDE_THE_RESULT = ("budget", "models", "profiles")
"""Sections that make no other run; of `models` what identifies its roles counts."""


def _with_outside(mark: str, plan: Plan, run: str) -> str:
    """A run's fingerprint together with what other runs left for its steps (the standing index)."""
    steps = [line.step for outer in plan.steps for line in steps_of(outer)]
    outside = [found.encode() for step in steps if (found := step.outside(plan.root, run))]
    return fingerprint.digest(mark.encode(), *outside) if outside else mark


def run_recipe(
    recipe: Recipe,
    *,
    listen: Listener | None = None,
    new: bool = False,
    retry_failed: bool = False,
    until: str = "report",
    engine: AbstractContextManager[Engine] | None = None,
) -> Run:
    """Runs a recipe, or goes on with its unfinished run, or finds that nothing has changed.

    Args:
        recipe: what to do.
        listen: is told every event (see docs/reference/json.md).
        new: start a new run folder even where an equal one stands (results are still carried over).
        retry_failed: a new run that carries over all but what failed, and asks models anew for that alone.
        until: the last stage: rows, export, train, evaluate or report.
        engine: where the steps are computed, as `open_engine` gives it (None: in this process). It changes
            nothing about the run: what was begun under one goes on under another.

    Raises:
        GateFailed: a gate said no; the run folder tells which rows, nothing is exported.
        TooManyFailures: see `max_failed`.
        Paused: at a limit, or because answers to a batch are awaited; run again to go on.
        Interrupted: paused by Ctrl-C; run again to go on.
        RunBusy: another process works in this project.
    """
    plan = plan_of(recipe)
    project = Project(recipe.root)
    with project.lock():
        mark = run_fingerprint(recipe, plan)
        attempt = _next_attempt(project, plan, mark) if retry_failed else 0
        folder, state = _folder(project, plan, mark, new or attempt > 0)
        attempt = _attempt_of(folder, attempt)
        run = Run(folder, project)
        deadline = Deadline(recipe.budget.minutes)
        tell = _Telling(folder, deadline, listen or (lambda event: None))
        if state == "finished" and _reached(folder) >= STAGES.index(until):
            tell({"event": "unchanged", "run": run.id})
            return run
        write_bytes(folder.path / "recipe.yaml", recipe.document.dump().encode())
        _expect(recipe, plan, folder, tell)
        try:
            asking = RunModels(recipe, run.id, deadline=deadline, attempt=attempt, listen=listen)
            with _bookkeeping(run), asking as models:
                table = _rows(_with_models(plan, models), run, tell, engine or open_engine())
                _stages(recipe, table, run, tell, until)
        except (KeyboardInterrupt, PanicException) as error:
            # amid a query Ctrl-C comes twice, from Polars and from Python; the second ends the bookkeeping.
            # While Polars imports something for the first time it makes a panic of it
            if not isinstance(error, KeyboardInterrupt) and "KeyboardInterrupt" not in str(error):
                raise
            folder.manifest.state = "paused"
            folder.save()
            raise Interrupted(
                "interrupted; everything finished is stored", hint="`zhiling run` goes on"
            ) from error
        return run


def _with_models(plan: Plan, models: RunModels) -> Plan:
    return replace(plan, load_models=models, budget_left=models.budget_left)


def _expect(recipe: Recipe, plan: Plan, folder: RunFolder, tell: Listener) -> None:
    """Tells what the run's model calls will come to: low, likely and high, as they were when it began."""
    from zhiling.workflow.estimate import planned_calls, row_counts

    results = folder.manifest.results
    if recipe.roles() and "estimate" not in results:
        planned = planned_calls(recipe, plan, row_counts(plan))
        results["estimate"] = {name: list(interval.ends) for name, interval in planned.total().items()}
    if "estimate" in results:
        tell({"event": "expected", **results["estimate"]})


def _next_attempt(project: Project, plan: Plan, mark: str) -> int:
    """The number of the retry that begins now; 0 where nothing failed.

    Raises:
        UsageError: there is no run of this recipe whose failures could be retried.
    """
    newest = RunFolder.open(project.newest())
    if newest.manifest.recipe != _with_outside(mark, plan, newest.id):
        raise UsageError(
            "--retry-failed: the recipe has changed since the newest run", place=newest.id,
            hint="`zhiling run` asks for what the change adds, and for what failed",
        )  # fmt: skip
    counts = [stage.counts for stage in newest.manifest.stages]
    failed = any(each.get(name) for each in counts for name in (str(Verdict.FAILED), ATTEMPT))
    return _attempt_of(newest) + 1 if failed else 0


def _attempt_of(folder: RunFolder, attempt: int = 0) -> int:
    """How often the run asks anew for what had failed: it keeps that when it goes on."""
    results = folder.manifest.results
    if attempt:
        results["attempt"] = attempt
    return int(results.get("attempt", 0))


def _reached(folder: RunFolder) -> int:
    return STAGES.index(folder.manifest.results.get("until", STAGES[-1]))


def _folder(project: Project, plan: Plan, mark: str, new: bool) -> tuple[RunFolder, str]:
    """The run to work in, and the state that it was found in (`new` for a fresh one)."""
    paths = project.run_paths()
    if paths and not new:
        with contextlib.suppress(ZhilingError):
            newest = RunFolder.open(paths[-1])
            if newest.manifest.recipe == _with_outside(mark, plan, newest.id):
                found = newest.manifest.state
                return newest, found
    path = project.next_path(plan.name)
    mark = _with_outside(mark, plan, path.name)
    manifest = Manifest(run=path.name, recipe=mark, seed=plan.seed, versions=_versions(), host=_host())
    return RunFolder.create(path, manifest), "new"


class _Telling:
    """Passes events on, writes them down, and watches the clock."""

    def __init__(self, folder: RunFolder, deadline: Deadline, listen: Listener) -> None:
        self._folder, self._deadline, self._listen = folder, deadline, listen

    def __call__(self, event: dict[str, Any]) -> None:
        """One event."""
        self._folder.event({"time": round(time.time(), 3), **event})
        self._listen(event)
        self._deadline.check()


@contextlib.contextmanager
def _bookkeeping(run: Run) -> Generator[None]:
    """Writes down how the run ended, how long it took and what it spent, however it ended."""
    folder, manifest = run.folder, run.folder.manifest
    started, before = time.perf_counter(), manifest.seconds
    manifest.state = "running"

    def close(state: str) -> None:
        manifest.state, manifest.seconds = state, before + time.perf_counter() - started
        _note_spending(run)
        folder.save()

    try:
        yield
    except (KeyboardInterrupt, Paused):
        close("paused")
        raise
    except GateFailed:
        close("gate_failed")
        raise
    except ZhilingError:
        with contextlib.suppress(ZhilingError):
            close("failed")
        raise
    close("finished")


def _note_spending(run: Run) -> None:
    """Writes down what the run's model calls came to so far."""
    spent, manifest = spending(run.project.root, run.id), run.folder.manifest
    if spent.calls:
        manifest.usd, manifest.results["spent"] = spent.usd, told(spent)


def _rows(plan: Plan, run: Run, tell: Listener, engine: AbstractContextManager[Engine]) -> RowTable:
    """Sources and steps; the engine is closed before the stages behind them begin."""
    with engine as opened:
        return Runner(plan, run.folder, run.project, tell, opened).rows()


def _stages(recipe: Recipe, table: RowTable, run: Run, tell: Listener, until: str) -> None:
    from zhiling.workflow.contamination import contamination_stage
    from zhiling.workflow.export import export_stage
    from zhiling.workflow.proof.proof import Work, evaluation_stage, train_stage
    from zhiling.workflow.stages import gate_stage, split_stage

    manifest = run.folder.manifest
    manifest.results["until"] = until
    manifest.counts = summarise(manifest.stages, table)
    contamination_stage(recipe, run, table)
    gate_stage(recipe, run, table, tell)
    split_stage(recipe, run, table, tell)
    if until == "rows":
        return
    export_stage(recipe, run, table, tell)
    if until == "export":
        return
    evaluated = recipe.evaluate is not None and until != "train"  # which asks for `train`: see the reader
    if recipe.train:
        work = Work.of(recipe, run, table, tell)
        train_stage(work)
        if evaluated:
            evaluation_stage(work)
    try:
        if evaluated:
            gate_stage(recipe, run, table, tell, "evaluation")
    finally:  # the report of a run whose model did not pass is the one that is wanted most
        if until == "report":
            _report(run, tell)


def _report(run: Run, tell: Listener) -> None:
    from zhiling.workflow.report.report import write_report

    _note_spending(run)
    run.folder.save()
    write_report(run.path)
    tell({"event": "report", "path": str(run.path / "report" / "index.html")})


def _versions() -> dict[str, str]:
    names = ("zhiling", "polars", "numpy", "pyarrow", "pydantic", "torch", "transformers", "scikit-learn")
    found = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(ModuleNotFoundError):
            found[name] = version(name)
    return found


def _host() -> dict[str, Any]:
    import os

    return {"system": platform.system(), "machine": platform.machine(), "cpus": os.cpu_count()}
