"""What the guards of an adversarial loop measured, round by round, and what rang."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zhiling.adversarial.guards.rounds import Round
from zhiling.adversarial.guards.rules import Limits, alarms
from zhiling.adversarial.trial import ROUND
from zhiling.pipeline.store import Stage
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.report.facts import RoundFacts


def round_facts(book: Book, stages: Sequence[Stage], limits: Limits) -> tuple[RoundFacts, ...]:
    """A line a round, in their order; none for a step that leaves no figures of rounds.

    Args:
        book: the run.
        stages: those of one step.
        limits: bounds of its guards.
    """
    files = [book.run.path / stage.folder / "state" / ROUND for stage in stages]
    rounds = [Round.from_json(file.read_text("utf-8"), str(file)) for file in files if file.is_file()]
    return tuple(
        RoundFacts(each, tuple(alarms(rounds[: place + 1], limits))) for place, each in enumerate(rounds)
    )


def limits_of(settings: Mapping[str, Any]) -> Limits:
    """The bounds of a step's guards, by its settings."""
    return Limits.model_validate(settings.get("guards") or {})
