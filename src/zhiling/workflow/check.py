"""`check`: everything that a run will need, looked at without doing any of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zhiling.errors import MissingInput, UsageError, ZhilingError
from zhiling.llm.asking import Asks
from zhiling.pipeline import fingerprint
from zhiling.pipeline.plan import Plan, steps_of
from zhiling.pipeline.store import Project, RunFolder
from zhiling.rows.evaluation_file import read_records
from zhiling.rows.templates.library import read_files
from zhiling.workflow.estimate import Planned, planned_calls, row_counts
from zhiling.workflow.proof.misfit import misfits
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import encoder_of, plan_of

_SECONDS_PER_ROW = 4e-5  # of a step that reads text, measured on two cores
_SECONDS_PER_ENCODED_ROW = 5e-3  # of a step that needs an encoder's vectors


@dataclass(frozen=True)
class Estimate:
    """What a run will probably take.

    Attributes:
        rows: source id → rows, counted exactly where the first batch was all of it.
        seconds: steps alone, training and evaluation not counted.
        measured: whether the seconds come from an earlier run of this project.
    """

    rows: dict[str, int]
    seconds: float
    measured: bool


@dataclass(frozen=True)
class Checked:
    """What `check` found: files per source, what rows and model calls will take, and things worth knowing."""

    files: dict[str, int]
    estimate: Estimate
    calls: Planned
    warnings: tuple[str, ...] = ()


def check(recipe: Recipe) -> Checked:
    """Looks for every file, model and extra that the recipe needs; reads samples, spends nothing.

    Raises:
        MissingInput: something is not there; all missing things are told at once.
    """
    missing: list[ZhilingError] = []
    plan: Plan | None = None
    try:
        plan = plan_of(recipe)
    except MissingInput as error:
        missing.append(error)
    missing += _missing(recipe)
    if missing or plan is None:
        raise MissingInput("\n".join(str(error) for error in missing))
    rows = row_counts(plan)
    estimate = _estimate(plan, rows, Project(recipe.root))
    return Checked(
        {line.id: len(line.files) for line in plan.sources},
        estimate,
        planned_calls(recipe, plan, rows),
        (*_warnings(recipe, rows), *misfits(recipe, plan)),
    )


def _missing(recipe: Recipe) -> Iterator[ZhilingError]:
    load, _ = encoder_of(recipe)
    needed = [line for line in recipe.steps for line in steps_of(line)]
    try:
        if load is not None:
            load()
        for line in needed:
            fingerprint.matching(line.step.files(), recipe.root, what=f"step {line.id!r}")
            line.step.outside(recipe.root, "")  # a model that is not there, a standing index that is damaged
            if isinstance(line.step, Asks):
                line.step.read_prompts(recipe.root)
    except ZhilingError as error:
        yield error
    if load is None:
        for line in needed:
            if line.step.uses_encoder():
                yield UsageError(f"step {line.id!r} needs an encoder", hint="add `encoder: {use: hashing}`")
    yield from _models(recipe)
    yield from _roles(recipe)
    yield from _prompt_files(recipe)
    yield from _evaluation(recipe)


def _prompt_files(recipe: Recipe) -> Iterator[ZhilingError]:
    """Label names and wordings that are not there or cannot be read."""
    train, evaluate = recipe.train, recipe.evaluate
    asked = [train.prompting if train else None, evaluate.before if evaluate else None]
    for settings in filter(None, asked):
        try:
            fingerprint.matching(settings.files(), recipe.root, what="prompting")
            read_files(recipe.root / each for each in settings.own_wordings)
        except ZhilingError as error:
            yield error


def _models(recipe: Recipe) -> Iterator[ZhilingError]:
    """Backbone and language models that are not there."""
    from zhiling.llm.location import model_folder

    train, evaluate = recipe.train, recipe.evaluate
    named: dict[tuple[str, ...], str | None] = {
        ("train", "backbone"): train and train.backbone,
        ("train", "prompting", "model"): train and train.prompting and train.prompting.model,
        ("evaluate", "before", "model"): evaluate and evaluate.before.model,
    }
    for place, path in named.items():
        try:
            if path:
                model_folder(path, recipe.root)
        except ZhilingError as error:
            yield MissingInput(error.message, place=recipe.document.place(place), hint=error.hint)


def _roles(recipe: Recipe) -> Iterator[ZhilingError]:
    """Keys that are not in the environment, and local models that are not there; no server is asked."""
    from zhiling.llm.location import model_folder

    for name, role in recipe.roles().items():
        try:
            role.key()
            if role.path is not None:
                model_folder(role.path, recipe.root)
        except ZhilingError as error:
            yield MissingInput(error.message, place=recipe.document.place(("models", name)), hint=error.hint)


def _evaluation(recipe: Recipe) -> Iterator[ZhilingError]:
    settings = recipe.evaluate
    if settings is None:
        return
    for name in (settings.data, settings.label_names):
        try:
            files = fingerprint.matching([name] if name else [], recipe.root, what="evaluate")
            for file in files if name == settings.data else []:
                for number, record in itertools.islice(read_records(file), 1):
                    absent = [key for key in (settings.text, settings.label) if key not in record]
                    if absent:
                        yield UsageError(
                            f"fields {absent} are missing",
                            place=f"{file}:{number}",
                            hint=f"it has {sorted(record)}",
                        )
        except ZhilingError as error:
            yield error


def _estimate(plan: Plan, rows: dict[str, int], project: Project) -> Estimate:
    total = sum(rows.values())
    known = _measured(project)
    seconds = 0.0
    for line in plan.steps:
        for step in steps_of(line):
            usual = _SECONDS_PER_ENCODED_ROW if step.step.uses_encoder() else _SECONDS_PER_ROW
            seconds += total * known.get(step.step.name, usual)
    return Estimate(rows, round(seconds, 1), bool(known))


def _measured(project: Project) -> dict[str, float]:
    """Step name → seconds per row in the newest run that computed it."""
    found: dict[str, float] = {}
    for path in project.run_paths():
        try:
            stages = RunFolder.open(path).manifest.stages
        except ZhilingError:
            continue
        for stage in stages:
            seen = sum(part.seen for part in stage.parts)
            if stage.done and seen and not stage.reused:
                found[stage.use] = stage.seconds / seen
    return found


def _warnings(recipe: Recipe, rows: dict[str, int]) -> Iterator[str]:
    for source, number in rows.items():
        if number == 0:
            yield f"source {source!r} gives no rows"
    for name, role in recipe.roles().items():
        if recipe.budget.usd is not None and role.endpoint and not role.price.pico(1, 1):
            yield f"role {name!r} has no `price`, so its calls do not count within {recipe.budget.usd:g} USD"
    if recipe.evaluate and recipe.evaluate.data:
        against: list[Any] = [getattr(s.step, "against", ()) for line in recipe.steps for s in steps_of(line)]
        if not any(recipe.evaluate.data in value for value in against):
            yield (
                "the evaluation file is not named in a `decontaminate` step:"
                " its rows may stand in the training data"
            )
