"""`adversarial compare`: what an adversarial block brings beside simpler ways to rows, at equal budget."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polars.exceptions import PanicException

from zhiling.errors import Interrupted, MissingInput, UsageError
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import Project, write_json
from zhiling.workflow.adversarial.arms import LOOP
from zhiling.workflow.adversarial.scores import ArmScore, Scored
from zhiling.workflow.adversarial.trials import Options, SeedTrials, Work
from zhiling.workflow.recipe import Recipe


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        folder: where it is kept.
        recipe: its name.
        seeds: of rows and steps.
        tested: test rows of each seed.
        known: labelled rows that every student learns from, of each seed.
        lines: lines without a label, of each seed.
        size: rows that an arm takes that draws some, of each seed.
        asked: whether that number was asked for.
        accepted: rows that the loop accepted, of each seed in which it was done.
        arms: a line each.
    """

    folder: Path
    recipe: str
    seeds: tuple[int, ...]
    tested: tuple[int, ...]
    known: tuple[int, ...]
    lines: tuple[int, ...]
    size: tuple[int, ...]
    asked: bool
    accepted: tuple[int, ...]
    arms: tuple[ArmScore, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        told = dataclasses.asdict(self)
        return {**told, "folder": str(self.folder)}

    def arm(self, name: str) -> ArmScore | None:
        """The line of an arm; None where it was not asked for."""
        return next((each for each in self.arms if each.arm == name), None)


def compare(recipe: Recipe, options: Options, tell: Listener = lambda event: None) -> Comparison:
    """Takes every arm with every seed and compares their students on rows that no arm saw.

    Nothing of the project's runs changes. Finished arms are stored under `runs/adversarial`: a comparison
    that was interrupted, or in which an arm failed, goes on where it stood when it is asked for again.

    Args:
        recipe: with a step `use: adversarial`.
        options: what is compared, and how.
        tell: is told every event.

    Raises:
        UsageError: no such step, no encoder, too few labelled rows, or an option that means nothing.
        UnknownName: no arm has this name.
        MissingInput: a file that is named is not there.
        Interrupted: Ctrl-C.
        RunBusy: another process works in this project.
    """
    _check(options)
    with Project(recipe.root).lock():
        try:
            work = Work(recipe, options, tell)
            seeds = [work.seed(recipe.seed + offset) for offset in range(options.seeds)]
            found = _found(recipe, work, seeds)
        except (KeyboardInterrupt, PanicException) as error:
            # while Polars imports something for the first time it makes a panic of Ctrl-C
            if not isinstance(error, KeyboardInterrupt) and "KeyboardInterrupt" not in str(error):
                raise
            raise Interrupted(
                "interrupted; every arm that was finished is stored", hint="the same command goes on"
            ) from error
        write_json(found.folder / "comparison.json", found.as_dict())
        return found


def _check(options: Options) -> None:
    wanted = options.wanted
    for name, value in (("seeds", options.seeds), ("rows", options.rows), ("shots", wanted.shots)):
        if value is not None and value < 1:
            raise UsageError(f"--{name} is {value!r}", hint="a whole number from 1 up")
    if not 0 < wanted.test < 1:
        raise UsageError(f"--test is {wanted.test!r}", hint="a share of the labelled rows between 0 and 1")
    if wanted.test_file is not None and not wanted.test_file.is_file():
        raise MissingInput(f"no file {str(wanted.test_file)!r} to test on", hint="JSONL or CSV: text, label")


def _found(recipe: Recipe, work: Work, seeds: list[SeedTrials]) -> Comparison:
    return Comparison(
        folder=work.folder,
        recipe=recipe.name,
        seeds=tuple(each.seed for each in seeds),
        tested=tuple(each.tested.height for each in seeds),
        known=tuple(each.known for each in seeds),
        lines=tuple(each.lines for each in seeds),
        size=tuple(each.size for each in seeds),
        asked=work.options.rows is not None,
        accepted=tuple(
            each.trials[LOOP].rows
            for each in seeds
            if LOOP in each.trials and each.trials[LOOP].state == "done"
        ),
        arms=Scored(seeds, work.encoder).arms(),
    )
