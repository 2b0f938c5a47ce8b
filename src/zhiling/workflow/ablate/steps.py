"""`ablate`: what each step of a recipe does to the model: with it, without it, and with a random removal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import polars as pl

from zhiling.errors import Interrupted, StepFailed, UnknownName, UsageError
from zhiling.evaluation.metrics.metric import Metric
from zhiling.evaluation.scores import Difference, Interval
from zhiling.evaluation.statistics import paired_bootstrap
from zhiling.pipeline import registry
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import write_json
from zhiling.training import Examples
from zhiling.workflow.ablate.student import Student, student_settings
from zhiling.workflow.ablate.variants import (
    WHOLE,
    Unit,
    Variant,
    Variants,
    as_examples,
    drawn,
    task_of,
    units,
)
from zhiling.workflow.proof.examples import examples_of, file_examples
from zhiling.workflow.recipe import Recipe

FEWEST_SEEDS = 3
RESAMPLES = 2000

Verdict = Literal["helps", "no effect", "hurts", "mixed", "not measured"]


@dataclass(frozen=True)
class Ablation:
    """What one step does.

    Attributes:
        step: its id.
        use: its name.
        also: later steps that were left out with it, because they read its columns.
        verdict: see `judge`; `not measured` where the recipe cannot stand or learn without it.
        note: why it was not measured, or why there is no random removal.
        removed: exported rows without the step minus those with it; below 0 where it adds rows.
        train_rows: labelled rows to learn from, with and without.
        scores: of the arms `with`, `without` and, where the step removes rows, `random`.
        differences: `with-without` and `with-random`, with 95 % intervals over test rows and seeds.
    """

    step: str
    use: str
    also: tuple[str, ...]
    verdict: Verdict
    note: str
    removed: int | None
    train_rows: Mapping[str, int]
    scores: Mapping[str, Interval]
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Ablations:
    """All steps of a recipe.

    Attributes:
        metric: what is scored.
        seeds: of the students; those of the random removal, too.
        tested: how many rows every student answered.
        tested_on: the evaluation file, or `test part`: rows that every step let pass.
    """

    metric: str
    seeds: tuple[int, ...]
    tested: int
    tested_on: str
    steps: tuple[Ablation, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def judge(differences: Mapping[str, Difference]) -> Verdict:
    """What the differences of a step say.

    *helps*: better than without it, and better than a random removal of as many rows (where it removes any):
    so its choice does it, not the number of rows. *hurts*: worse than without it, and no better than a random
    removal. *mixed*: worse than without it, yet better than a random removal: it costs rows and chooses well.
    *no effect*: anything else.
    """
    found = {name: difference.verdict for name, difference in differences.items()}
    without, random = found["with-without"], found.get("with-random")
    if without == "better" and random in ("better", None):
        return "helps"
    if without == "worse":
        return "mixed" if random == "better" else "hurts"
    return "no effect"


def ablate(
    recipe: Recipe, *, only: Sequence[str] = (), seeds: int | None = None, ngrams: bool = False,
    tell: Listener = lambda event: None,
) -> Ablations:  # fmt: skip
    """Trains a cheap student with and without each step, and against a random removal of the same size.

    The student is the recipe's `train` with a frozen encoder (hashed n-grams where there is none). All arms
    answer the same rows: the recipe's evaluation file, else the test part. Nothing of the project's runs
    changes; answers are stored under `runs/ablation`, so an interrupted ablation goes on where it stood.

    Args:
        recipe: what to take apart.
        only: ids of steps; all by default.
        seeds: at least 3; by default as many as `evaluate` has, and at least 3.
        ngrams: the student reads n-grams alone, whatever `train` says.
        tell: is told every event.

    Raises:
        UsageError: no labelled rows, no step to leave out, too few seeds.
        UnknownName: a step that the recipe does not have, or that only measures.
        Interrupted: Ctrl-C.
        RunBusy: another process works in this project.
    """
    chosen = _chosen(recipe, only)
    count = seeds_of(recipe, seeds)
    project = Variants(recipe.root)
    with project.lock():
        try:
            work = Work.of(recipe, project, count, ngrams, tell).started()
            steps = tuple(work.take(unit) for unit in chosen)
        except KeyboardInterrupt as error:
            raise Interrupted(
                "interrupted; every student that was finished is stored", hint="`zhiling ablate` goes on"
            ) from error
        project.forget(WHOLE)
        found = Ablations(
            work.student.metric.name, tuple(work.seeds), len(work.student.tested), work.tested_on, steps
        )
        write_json(project.folder / "ablation.json", found.as_dict())
    return found


def _chosen(recipe: Recipe, only: Sequence[str]) -> list[Unit]:
    known = {unit.step: unit for unit in units(recipe.steps)}
    for name in only:
        if name not in known:
            raise UnknownName("step to leave out", name, known)
    if not known:
        raise UsageError(
            "the recipe has no step that decides about rows or makes some",
            place=recipe.document.file.name,
            hint="add steps, then ask what they do",
        )
    return [known[name] for name in only] if only else list(known.values())


def seeds_of(recipe: Recipe, seeds: int | None) -> list[int]:
    """The students' seeds, from the recipe's on.

    Raises:
        UsageError: fewer than 3.
    """
    wanted = max(FEWEST_SEEDS, recipe.evaluate.seeds if recipe.evaluate else 0) if seeds is None else seeds
    if wanted < FEWEST_SEEDS:
        raise UsageError(f"{wanted} seeds", hint=f"at least {FEWEST_SEEDS}: one seed shows no spread")
    return [recipe.seed + offset for offset in range(wanted)]


Answers = list[Sequence[str]]
"""Of one arm: the answers of each seed."""


@dataclass(frozen=True)
class Work:
    """What every step is measured with.

    Attributes:
        whole: train and dev rows of the recipe as it is.
        groups: of the rows tested on.
        exported: rows of the recipe as it is.
        kept: its answers, seed by seed.
    """

    recipe: Recipe
    project: Variants
    student: Student
    seeds: list[int]
    tested_on: str
    whole: tuple[pl.DataFrame, ...]
    groups: pl.Series
    exported: int
    kept: Answers
    tell: Listener

    @classmethod
    def of(
        cls, recipe: Recipe, project: Variants, seeds: list[int], ngrams: bool, tell: Listener
    ) -> Work:  # fmt: skip
        """Runs the whole recipe; nothing is trained yet."""
        variant = project.rows(recipe, WHOLE, (), tell)
        tested, tested_on = _tested(recipe, variant)
        settings = student_settings(recipe, ngrams=ngrams)
        name = recipe.evaluate.metrics[0] if recipe.evaluate else "accuracy"
        metric: Metric = registry.load("metric", name)()
        student = Student(project, project.folder / "arms", settings, metric, tested)
        groups = variant.groups if tested_on == TEST_PART else variant.groups.clear()
        whole = variant.examples(tested, groups, recipe.split.near)
        if not whole[0].height or not whole[1].height:
            raise UsageError(
                f"{whole[0].height} labelled rows to train on and {whole[1].height} in the dev part",
                hint="map a `label` in a source, and give `split` a dev share",
            )
        return cls(recipe, project, student, seeds, tested_on, whole, groups, variant.exported, [], tell)

    def started(self) -> Work:
        """With the answers of the recipe as it is."""
        return replace(self, kept=list(self.answers("with", [self.whole] * len(self.seeds))))

    def answers(self, arm: str, parts: Sequence[tuple[pl.DataFrame, ...]]) -> Iterator[Sequence[str]]:
        """One arm's answers, seed by seed."""
        for seed, some in zip(self.seeds, parts, strict=True):
            self.tell({"event": "arm", "arm": arm, "seed": seed})
            examples = as_examples(some, replies=self.student.settings.replies)
            yield self.student.answers(examples, seed)

    def take(self, unit: Unit) -> Ablation:
        """One step's arms, compared."""
        name = f"without-{unit.step}"
        try:
            variant = self.project.rows(self.recipe, name, (unit.step, *unit.also), self.tell)
            found = self._compared(unit, variant)
        except (UsageError, StepFailed) as error:
            found = Ablation(unit.step, unit.use, unit.also, "not measured", error.message, None, {}, {}, {})
        self.project.forget(name)
        return found

    def _compared(self, unit: Unit, variant: Variant) -> Ablation:
        without = variant.examples(self.student.tested, self.groups, self.recipe.split.near)
        sizes = [rows.height for rows in self.whole]
        arms: dict[str, Answers] = {"with": self.kept}
        arms["without"] = list(self.answers(f"without {unit.step}", [without] * len(self.seeds)))
        note = ""
        if without[0].height > sizes[0]:
            random = [
                tuple(drawn(rows, size, seed) for rows, size in zip(without, sizes, strict=True))
                for seed in self.seeds
            ]
            arms["random"] = list(self.answers(f"random instead of {unit.step}", random))
        else:
            note = "no random removal: the step takes no labelled row from the train part"
        found = paired_bootstrap(
            self.student.metric, arms, self.student.tested.targets, seed=self.recipe.seed, resamples=RESAMPLES
        )
        others = [name for name in arms if name != "with"]
        differences = {f"with-{other}": found.difference("with", other) for other in others}
        return Ablation(
            unit.step, unit.use, unit.also, judge(differences), note, variant.exported - self.exported,
            {"with": sizes[0], "without": without[0].height},
            {arm: found.interval(arm) for arm in arms}, differences,
        )  # fmt: skip


TEST_PART = "test part"


def _tested(recipe: Recipe, variant: Variant) -> tuple[Examples, str]:
    """The rows that every student answers, and where they are from."""
    if recipe.evaluate is not None and recipe.evaluate.from_file:
        tested, where = (
            file_examples(recipe.evaluate, recipe.root, task_of(recipe)),
            recipe.evaluate.data or "evaluation source",
        )
    else:
        tested, where = examples_of(variant.parts["test"]), TEST_PART
    if not len(tested):
        raise UsageError(
            f"no labelled rows to test on in the {where}",
            hint="name an evaluation file: evaluate: {data: …}, or map a `label` in a source",
        )
    return tested, where
