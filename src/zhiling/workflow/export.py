"""Exports: rows in files, one per split part, with a data card and an entry for LLaMA-Factory beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
import polars as pl

from zhiling.errors import UsageError
from zhiling.pipeline.runner import Listener
from zhiling.pipeline.store import write_bytes, writing
from zhiling.pipeline.table import RowTable
from zhiling.rows.formats.format import Format
from zhiling.rows.splits import PARTS
from zhiling.workflow.data_card import Tally, write_card
from zhiling.workflow.proof.repeats import TRAIN, rounds, times_column
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.remote import send
from zhiling.workflow.run import Run

INDEX = "dataset_info.json"
"""LLaMA-Factory's list of data sets, beside the files."""

_ROWS = 20_000
_COLUMNS = ("id", "messages", "alternatives", "task", "target", "language", "tools", "origin", "extra")


@dataclass(frozen=True)
class Exported:
    """One export.

    Attributes:
        folder: where its files lie.
        result: `{"path", "format", "files": [{"path", "split", "rows"}], "losses": {what: rows}, "repeats",
            "card"}`; `repeats` of the rows are copies that a mixture wants.
        index: the entries of its files in `dataset_info.json`; none where LLaMA-Factory cannot read them.
    """

    folder: Path
    result: dict[str, Any]
    index: dict[str, Any]


def export_stage(recipe: Recipe, run: Run, table: RowTable, tell: Listener) -> None:
    """Writes every export of the recipe under the run's `export/`."""
    exports: list[Exported] = []
    for entry in recipe.exports:
        tell({"event": "stage", "stage": f"export {entry.path}"})
        exports.append(write_export(run, table, entry.format, run.path / "export" / entry.path))
    write_index(exports)
    for entry, export in zip(recipe.exports, exports, strict=True):
        if entry.to:
            tell({"event": "stage", "stage": f"send {entry.path}"})
            names = [*(file["path"] for file in export.result["files"]), export.result["card"]]
            export.result["sent"] = send([export.folder / name for name in names], entry.to)
    results = [export.result for export in exports]
    run.folder.manifest.results["exports"] = results
    run.folder.save()
    tell({"event": "exported", "exports": results})


def write_export(run: Run, table: RowTable, format: Format, path: Path) -> Exported:
    """Writes the exported rows, one file per split part: `sft.jsonl` becomes `sft.train.jsonl` and so on.

    The train part holds a row as often as a `mixture` wants it. A data card, `sft.card.md`, lies beside them.
    """
    assigned = run.folder.read_frame("split.parquet", ["n", "split"])
    tally, spoken = Tally(), run.folder.manifest.latest("language")
    targets = {part: path.with_name(f"{path.stem}.{part}{path.suffix}") for part in PARTS}
    numbers = assigned["n"].sort().to_numpy().astype("int64")
    times, repeats = times_column(run.folder.manifest), 0
    with writing(path), ExitStack() as stack:
        path.parent.mkdir(parents=True, exist_ok=True)
        writers = {part: stack.enter_context(format.open(target)) for part, target in targets.items()}
        for rows in table.batches([*_COLUMNS, spoken, *([times] if times else [])], numbers, _ROWS):
            placed = rows.join(assigned, on="n", how="left", maintain_order="left")
            for part, writer in writers.items():
                once = placed.filter(pl.col("split") == part)
                for again, each in enumerate(rounds(once, times if part == TRAIN else None)):
                    tally.add(each.with_columns(language=pl.coalesce(spoken, "language")))
                    writer.write(each.select(_COLUMNS))
                    repeats += each.height if again else 0
    written = {part: writer.written for part, writer in writers.items()}
    losses: Counter[str] = Counter()
    for each in written.values():
        losses.update(each.losses)
    files = [{"path": targets[part].name, "split": part, "rows": each.rows} for part, each in written.items()]
    card = path.with_name(f"{path.stem}.card.md")
    result = {
        "path": path.name,
        "format": format.name,
        "files": files,
        "losses": dict(sorted(losses.items())),
        "repeats": repeats,
    }
    with writing(card):
        write_card(card, run.folder.manifest, result, tally)
    entries = {
        f"{path.stem}_{part}": format.dataset_info(targets[part].name, each.fields)
        for part, each in written.items()
        if each.rows
    }
    index = {name: entry for name, entry in entries.items() if entry is not None}
    return Exported(path.parent, {**result, "card": card.name}, index)


def write_index(exports: Iterable[Exported]) -> None:
    """Puts exports into the `dataset_info.json` of their folders; entries of others stay.

    Raises:
        UsageError: a file of that name is there, and it is none.
    """
    folders: dict[Path, dict[str, Any]] = {}
    for export in exports:
        folders.setdefault(export.folder, {}).update(export.index)
    for folder, entries in folders.items():
        if entries:
            path = folder / INDEX
            merged = {**_known(path), **entries}
            with writing(path):
                write_bytes(
                    path, orjson.dumps(merged, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
                )


def _known(path: Path) -> Mapping[str, Any]:
    """The entries of an index that is there already."""
    try:
        known: Any = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except orjson.JSONDecodeError:
        known = None
    if not isinstance(known, dict):
        hint = "export into another folder, or move that file away"
        raise UsageError("not a JSON object, so no entry can be added", place=str(path), hint=hint)
    return cast(Mapping[str, Any], known)
