"""Where a run got fewer rows than a step was asked for, from the run's folder alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zhiling.curation.sample import Sample
from zhiling.curation.select import Select
from zhiling.pipeline.step import Verdict
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.inspect.mixtures import mixtures

if TYPE_CHECKING:
    from pathlib import Path


def shortfalls(path: Path) -> dict[str, tuple[int, int]]:
    """Step id → rows that it gave and rows that were asked for, where there were not enough of them.

    A sample of so many rows per value is left out: some values may well have fewer.

    Raises:
        MissingInput: no run there.
        DamagedFile: a file of it cannot be read.
    """
    book = Book(path)
    given = Counter[str]()
    for stage in book.stages:
        if stage.use in (Select.name, Sample.name):
            given[stage.id] += sum(stage.counts.get(str(Verdict.KEEP), {}).values())
    given.update({step: tree.drawn for step, tree in mixtures(path).items() if step in book.steps})
    found: dict[str, tuple[int, int]] = {}
    for step, rows in given.items():
        settings: Mapping[str, Any] = book.steps[step].settings if step in book.steps else {}
        rounds = {stage.round for stage in book.stages if stage.id == step}
        asked = None if settings.get("per") else settings.get("size")
        if isinstance(asked, int) and len(rounds) == 1 and rows < asked:
            found[step] = (rows, asked)
    return found
