"""A recipe's pipeline as the runner takes it: sources, steps and rounds, all validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zhiling.pipeline.gates import Gate
from zhiling.pipeline.step import Encoder, Models, Source, Step


@dataclass(frozen=True)
class SourceLine:
    """A source of the recipe with its files, and the files that those name."""

    id: str
    source: Source
    files: tuple[Path, ...]
    further: tuple[Path, ...] = ()


@dataclass(frozen=True)
class StepLine:
    """A step of the recipe: which rows it sees, and what it does.

    Attributes:
        id: unique in the recipe; names the step's columns and folder.
        step: the step.
        sources: sees only rows whose `origin.via` holds one of these (empty: all).
        only: column → values; narrows further, by the latest language measure where that is the column.
    """

    id: str
    step: Step
    sources: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True)
class Until:
    """When a `repeat` ends.

    Attributes:
        accepted: exactly this many accepted rows; what comes beyond is rejected as `surplus`.
        column: what quotas count by (`task`, `language`, `label`).
        quotas: value of the column → rows wanted.
        stop: id of an inner step that says when, and which round to return.
    """

    accepted: int | None = None
    column: str = "task"
    quotas: Mapping[str, int] = field(default_factory=dict[str, int])
    stop: str | None = None


@dataclass(frozen=True)
class RepeatLine:
    """The one control block: inner steps, round after round, until enough rows are accepted."""

    id: str
    until: Until
    rounds: int
    steps: tuple[StepLine, ...]


def steps_of(line: StepLine | RepeatLine) -> tuple[StepLine, ...]:
    """The steps of a recipe line: itself, or the inner ones of a `repeat`."""
    return line.steps if isinstance(line, RepeatLine) else (line,)


@dataclass(frozen=True)
class Plan:
    """Everything that a run of the pipeline depends on.

    Attributes:
        root: the recipe's folder.
        limit: at most this many rows per source (None: all); for trying a recipe out.
        max_failed: share of rows that may fail before the run stops (at least 10 rows may).
        load_encoder: gives the recipe's encoder; None where it names none.
        encoder_identity: likewise its identity, without loading the model.
        load_models: gives a step, by its id, the recipe's models; None where nothing may be asked.
        role_identity: what shapes the replies of a role, as a hash; None where the recipe names no role.
        budget_left: gives the share of the budget that is left; see `Context.budget_left`.
    """

    name: str
    root: Path
    seed: int
    sources: tuple[SourceLine, ...]
    steps: tuple[StepLine | RepeatLine, ...]
    gates: tuple[Gate, ...] = ()
    limit: int | None = None
    max_failed: float = 0.01
    load_encoder: Callable[[], Encoder] | None = None
    encoder_identity: Callable[[], str] | None = None
    load_models: Callable[[str], Models] | None = None
    role_identity: Callable[[str], str] | None = None
    budget_left: Callable[[], float | None] | None = None
