"""The recipe with and without one of its steps: the rows that each leaves to learn from."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from zhiling.errors import DamagedFile, MissingInput
from zhiling.pipeline.database import FILE_NAME
from zhiling.pipeline.plan import Plan, RepeatLine, StepLine, steps_of
from zhiling.pipeline.runner import Listener, Runner
from zhiling.pipeline.standing import Standing
from zhiling.pipeline.step import Measure
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.pipeline.table import RowTable
from zhiling.rows.splits import split
from zhiling.training import Examples
from zhiling.workflow.models import RunModels
from zhiling.workflow.proof.examples import CLASSIFICATION, apart_from, examples_of, labelled
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import plan_of
from zhiling.workflow.stages import split_rows

FOLDER = "ablation"
"""Under `runs`; no run of the project, so `status`, `report` and the like do not see it."""

WHOLE = "whole"


@dataclass(frozen=True)
class Unit:
    """What is left out at once.

    Attributes:
        step: id of a step, or of a `repeat`, that decides about rows or makes some.
        use: its name.
        also: ids of later steps that read its columns: they cannot stand without it.
    """

    step: str
    use: str
    also: tuple[str, ...] = ()


def units(steps: Sequence[StepLine | RepeatLine]) -> Iterator[Unit]:
    """All that can be left out. A mere measure changes no row: the steps that read it stand for it."""
    for place, line in enumerate(steps):
        if isinstance(line, StepLine) and isinstance(line.step, Measure):
            continue
        gone, also = {each.id for each in steps_of(line)} | {line.id}, list[str]()
        for later in steps[place + 1 :]:
            read = {
                name.partition(".")[0]
                for each in steps_of(later)
                for name in each.step.reads()
                if "." in name
            }
            if read & gone:
                gone |= {later.id, *(each.id for each in steps_of(later))}
                also.append(later.id)
        yield Unit(line.id, line.step.name if isinstance(line, StepLine) else "repeat", tuple(also))


@dataclass(frozen=True)
class Variant:
    """What a recipe, or one without a step, leaves.

    Attributes:
        exported: number of rows in the export.
        parts: train, dev and test rows as `examples.labelled` gives them, with `via`: the sources and steps
            that each came through.
        groups: of the test rows.
    """

    exported: int
    parts: dict[str, pl.DataFrame]
    groups: pl.Series

    def examples(self, tested: Examples, groups: pl.Series, near: float | None) -> tuple[pl.DataFrame, ...]:
        """Train and dev rows, none equal or near a row that is tested on, or of its group."""
        apart = (apart_from(self.parts[part], tested, near) for part in ("train", "dev"))
        foreign = ~pl.col("group").is_in(groups.implode()).fill_null(value=False)
        return tuple(rows.filter(foreign) for rows in apart)


class Variants(Project):
    """The project with one more place where earlier results are found: the recipe as a whole."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.folder = self.runs / FOLDER

    def run_paths(self) -> list[Path]:
        """The project's runs, then the variants."""
        return [*super().run_paths(), *sorted(path.parent for path in self.folder.glob("*/manifest.json"))]

    def rows(self, recipe: Recipe, name: str, left_out: Sequence[str], tell: Listener) -> Variant:
        """The rows of the recipe without these steps.

        What stands before them is taken over from the project's runs or from the whole recipe; a variant that
        was left goes on where it stood.
        """
        plan = _without(plan_of(recipe), left_out)
        run = self._run(name)
        with RunModels(recipe, f"ablate:{name}") as models:
            table = Runner(replace(plan, load_models=models), run, self, tell).rows()
        return _parts(recipe, table)

    def forget(self, name: str) -> None:
        """Removes a variant's rows: its arms are stored on their own."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _run(self, name: str) -> RunFolder:
        with contextlib.suppress(MissingInput, DamagedFile):
            return RunFolder.open(self.folder / name)
        return RunFolder.create(self.folder / name, Manifest(run=name, recipe=""))


def _without(plan: Plan, left_out: Sequence[str]) -> Plan:
    return replace(plan, steps=tuple(line for line in plan.steps if line.id not in left_out))


def _parts(recipe: Recipe, table: RowTable) -> Variant:
    """The split as a run would make it; nothing is written down."""
    rows = split_rows(table, recipe.split.group_by)
    with Standing(recipe.root / FILE_NAME) as standing:
        held, former = standing.test_ids(), standing.former(recipe.split.scheme(recipe.seed))
    parts = split(rows.drop("n"), recipe.split, recipe.seed, held, former).parts
    numbers = {part: rows.filter(parts == part)["n"].sort().to_numpy().astype(np.int64) for part in _PARTS}
    groups = table.read(["group"], numbers["test"])["group"].drop_nulls()
    task = task_of(recipe)
    found = {part: labelled(table, some, task) for part, some in numbers.items()}
    origin = {
        part: table.read(["via"], each["n"].to_numpy().astype(np.int64)) for part, each in found.items()
    }
    return Variant(
        rows.height,
        {part: each.with_columns(origin[part]["via"]) for part, each in found.items()},
        groups,
    )


def task_of(recipe: Recipe) -> str:
    """The task of the students."""
    return recipe.train.task if recipe.train else CLASSIFICATION


_PARTS = ("train", "dev", "test")


def drawn(rows: pl.DataFrame, size: int, seed: int) -> pl.DataFrame:
    """As many rows, drawn at random: what a removal without any judgement leaves."""
    chosen = np.random.default_rng([seed, 30_271]).permutation(rows.height)[:size]
    return rows[np.sort(chosen)]


def as_examples(parts: tuple[pl.DataFrame, ...], *, replies: bool) -> tuple[Examples, Examples]:
    """Train and dev rows as the student takes them."""
    return examples_of(parts[0], replies=replies), examples_of(parts[1])
