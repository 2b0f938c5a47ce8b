"""What the guards of adversarial loops said that a user has to know, from a run's folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zhiling.adversarial.accept import Accept
from zhiling.adversarial.guards.words import told
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.report.collect_rounds import limits_of, round_facts

if TYPE_CHECKING:
    from pathlib import Path


def loops(path: Path, language: str = "en") -> dict[str, list[str]]:
    """Step id → in words what ended its rounds, dropped a generator, or makes its figures unsure.

    Raises:
        MissingInput: no run there.
        DamagedFile: a file of it cannot be read.
    """
    book = Book(path)
    steps = dict.fromkeys(stage.id for stage in book.stages if stage.use == Accept.name)
    found = {step: list(_lines(book, step, language)) for step in steps}
    return {step: lines for step, lines in found.items() if lines}


def _lines(book: Book, step: str, language: str) -> Iterator[str]:
    line = book.steps.get(step)
    stages = [stage for stage in book.stages if stage.id == step]
    unsure = False
    for each in round_facts(book, stages, limits_of(line.settings if line else {})):
        for alarm in each.alarms:
            first = alarm.guard == "few_real" and not unsure  # every round says so: once is enough
            unsure |= first
            if first or alarm.follows != "tell":
                yield told(alarm, language)
