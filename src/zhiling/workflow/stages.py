"""What follows the steps: gates, split, export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.errors import GateFailed
from zhiling.pipeline import registry
from zhiling.pipeline.ancestry import roots
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.standing import Standing
from zhiling.pipeline.store import writing
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import user_text
from zhiling.rows.formats.format import Format
from zhiling.rows.splits import PARTS, group_keys, split
from zhiling.rows.target import LABEL
from zhiling.workflow.data_card import Tally, write_card
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

_EXPORT_ROWS = 20_000


def gate_stage(recipe: Recipe, run: Run, table: RowTable, tell: Listener) -> None:
    """Asks all gates, then stops where one said no.

    Raises:
        GateFailed: with every gate that failed.
    """
    manifest = run.folder.manifest
    results = [gate.check(table, manifest.counts, recipe.root) for gate in recipe.gates]
    manifest.gates = [result.__dict__ for result in results]
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
            hint="`zhiling rows --rejected` and `zhiling why` tell more",
        )


def split_stage(recipe: Recipe, run: Run, table: RowTable, tell: Listener) -> None:
    """Assigns every row to train, dev or test, checks that nothing leaks, remembers the test rows."""
    tell({"event": "stage", "stage": "split"})
    rows = _split_rows(table, recipe.split.group_by)
    with Standing(recipe.root / "zhiling.sqlite") as standing:
        scheme = recipe.split.scheme(recipe.seed)
        result = split(
            rows.drop("n"), recipe.split, recipe.seed, standing.test_ids(), standing.former(scheme)
        )
        assigned = rows.select("n", "id").with_columns(result.parts.alias("split"))
        run.folder.write_frame("split.parquet", assigned)
        standing.record(run.id, rows.select("id", "roots"), result.parts, scheme)
    run.folder.manifest.results["split"] = result.facts.as_dict()
    run.folder.save()


def _split_rows(table: RowTable, group_by: Sequence[str]) -> pl.DataFrame:
    """`n, id, group, text, label, language, roots` of the rows to export."""
    frame = table.read(["id", "messages", "task", "target", "language", "origin"], table.exported())
    return frame.select(
        "n",
        "id",
        group_keys(frame, group_by),
        user_text(frame["messages"]).alias("text"),
        LABEL.alias("label"),
        "language",
        roots(table, frame["id"]),
    )


def export_stage(recipe: Recipe, run: Run, table: RowTable, tell: Listener) -> None:
    """Writes every export of the recipe under the run's `export/`."""
    results: list[dict[str, Any]] = []
    for entry in recipe.exports:
        tell({"event": "stage", "stage": f"export {entry.path}"})
        results.append(write_export(run, table, entry.format, run.path / "export" / entry.path))
    run.folder.manifest.results["exports"] = results
    run.folder.save()
    tell({"event": "exported", "exports": results})


def write_export(run: Run, table: RowTable, format: Format | str, path: Path) -> dict[str, Any]:
    """Writes the exported rows, one file per split part: `sft.jsonl` becomes `sft.train.jsonl` and so on.

    A data card, `sft.card.md`, lies beside them.

    Returns:
        `{"path", "format", "files": [{"path", "split", "rows"}], "losses": {what: rows}, "card"}`.
    """
    chosen: Format = registry.load("format", format)() if isinstance(format, str) else format
    assigned = run.folder.read_frame("split.parquet", ["n", "split"])
    tally, spoken = Tally(), run.folder.manifest.latest("language")
    columns = ["id", "messages", "alternatives", "task", "target", "language", "tools", "origin", "extra"]
    targets = {part: path.with_name(f"{path.stem}.{part}{path.suffix}") for part in PARTS}
    numbers = assigned["n"].sort().to_numpy().astype("int64")
    with writing(path), ExitStack() as stack:
        path.parent.mkdir(parents=True, exist_ok=True)
        writers = {part: stack.enter_context(chosen.open(target)) for part, target in targets.items()}
        for rows in table.batches([*columns, spoken], numbers, _EXPORT_ROWS):
            placed = rows.join(assigned, on="n", how="left", maintain_order="left")
            tally.add(placed.with_columns(language=pl.coalesce(spoken, "language")))
            for part, writer in writers.items():
                writer.write(placed.filter(pl.col("split") == part).drop("split"))
    losses: Counter[str] = Counter()
    for writer in writers.values():
        losses.update(writer.written.losses)
    files = [
        {"path": targets[part].name, "split": part, "rows": writer.written.rows}
        for part, writer in writers.items()
    ]
    card = path.with_name(f"{path.stem}.card.md")
    result = {
        "path": path.name,
        "format": chosen.name,
        "files": files,
        "losses": dict(sorted(losses.items())),
    }
    with writing(card):
        write_card(card, run.folder.manifest, result, tally)
    return {**result, "card": card.name}
