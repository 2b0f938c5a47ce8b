"""The mixtures of a run as trees with counts, from the run's folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from zhiling.curation.mixing import Branch
from zhiling.curation.mixture import Mixture
from zhiling.pipeline.step import Context, Verdict
from zhiling.workflow.inspect.book import Book

if TYPE_CHECKING:
    from pathlib import Path

    from zhiling.pipeline.store import Stage


def mixtures(path: Path) -> dict[str, Branch]:
    """Step id → what its mixture drew of each source and task, also where it was carried over.

    Rounds of `repeat` are told apart: `mix` is the first, `mix (2)` the second.

    Raises:
        MissingInput: no run there.
        DamagedFile: a file of it cannot be read.
    """
    book = Book(path)
    stages = [stage for stage in book.stages if stage.use == Mixture.name and stage.id in book.steps]
    return {
        stage.id if stage.round < 2 else f"{stage.id} ({stage.round})": _tree(book, stage) for stage in stages
    }


def _tree(book: Book, stage: Stage) -> Branch:
    lines = book.ledger(stage, ["n", "verdict"]).filter(pl.col("verdict") != str(Verdict.FAILED))
    rows = book.table.read(["source", "task"], lines["n"].sort().to_numpy().astype(np.int64))
    step = Mixture.model_validate(book.steps[stage.id].settings)
    return step.plan(rows, Context(stage.id))
