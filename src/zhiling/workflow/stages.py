"""What follows the steps: gates, then the split."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from zhiling.errors import GateFailed
from zhiling.pipeline.ancestry import roots
from zhiling.pipeline.database import FILE_NAME
from zhiling.pipeline.gates import GateTime
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.standing import Standing
from zhiling.pipeline.table import RowTable
from zhiling.rows.splits import group_keys, split
from zhiling.rows.target import LABEL
from zhiling.rows.templates.own_text import own_text
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run


def gate_stage(
    recipe: Recipe, run: Run, table: RowTable, tell: Listener, asked: GateTime = "rows"
) -> None:  # fmt: skip
    """Asks all gates of finished rows, or of the evaluation, then stops where one said no.

    Raises:
        GateFailed: with every gate that failed.
    """
    manifest = run.folder.manifest
    results = [
        gate.check(table, manifest.counts, recipe.root) for gate in recipe.gates if gate.asked == asked
    ]
    earlier = manifest.gates if asked == "evaluation" else []
    manifest.gates = [*earlier, *(result.__dict__ for result in results)]
    run.folder.save()
    for result in results:
        tell({"event": "gate", **result.__dict__})
    failed = [
        f"{result.check} is {result.value:g}" + (f" ({result.detail})" if result.detail else "")
        for result in results
        if not result.ok
    ]
    if failed:
        raise GateFailed(
            f"gates failed: {'; '.join(failed)}",
            place=run.id,
            hint="`zhiling rows --rejected` and `zhiling why` tell more"
            if asked == "rows"
            else "`zhiling report` tells more",
        )


def split_stage(recipe: Recipe, run: Run, table: RowTable, tell: Listener) -> None:
    """Assigns every row to train, dev or test, checks that nothing leaks, remembers the test rows."""
    tell({"event": "stage", "stage": "split"})
    rows = split_rows(table, recipe.split.group_by)
    with Standing(recipe.root / FILE_NAME) as standing:
        scheme = recipe.split.scheme(recipe.seed)
        result = split(
            rows.drop("n"), recipe.split, recipe.seed, standing.test_ids(), standing.former(scheme)
        )
        assigned = rows.select("n", "id").with_columns(result.parts.alias("split"))
        run.folder.write_frame("split.parquet", assigned)
        standing.record(run.id, rows.select("id", "roots"), result.parts, scheme)
    run.folder.manifest.results["split"] = result.facts.as_dict()
    run.folder.save()


def split_rows(table: RowTable, group_by: Sequence[str]) -> pl.DataFrame:
    """`n, id, group, text, label, language, roots` of the rows to export."""
    frame = table.read(["id", "messages", "task", "target", "language", "origin"], table.exported())
    return frame.select(
        "n",
        "id",
        group_keys(frame, group_by),
        own_text(frame["messages"], frame["target"]).alias("text"),
        LABEL.alias("label"),
        "language",
        roots(table, frame["id"]),
    )
