"""Rows of a run with the verdict that counts: the last of one step, or of the whole run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import polars as pl

from zhiling.errors import UnknownName
from zhiling.pipeline import ledger
from zhiling.pipeline.step import Verdict
from zhiling.workflow.run import Run

_PAGE = 5_000
_LEFT = {
    "rejected": (Verdict.REJECT,),
    "failed": (Verdict.FAILED,),
    "kept": (Verdict.KEEP, Verdict.FLAG, Verdict.REVIEW, Verdict.MEASURED, Verdict.PASSED, Verdict.MADE),
}


def select_rows(
    run: Run, *, step: str | None = None, states: Sequence[str] = (), limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Rows in the order of the run, as `rows --format jsonl` prints them.

    Args:
        run: a run on disk.
        step: only rows that this step saw, with its verdict; None: all rows, each with its last verdict.
        states: any of kept, rejected, failed; all where empty. `failed` also gives the inputs of adding
            steps, once for each attempt that failed (verdict `attempt`).
        limit: at most so many.

    Raises:
        UnknownName: no such step in the run.
    """
    stages = run.folder.manifest.stages
    known = [stage.id for stage in stages if stage.kind != "source"]
    if step is not None and step not in known:
        raise UnknownName("step", step, known)
    whole = _lines(run, step)
    failed = pl.col("verdict") == ledger.ATTEMPT
    lines = whole.filter(~failed).unique("n", keep="last", maintain_order=True)
    table = run.table()
    if step is None:
        everything = pl.DataFrame({"n": pl.Series(range(len(table)), dtype=pl.UInt32)})
        lines = everything.join(lines, on="n", how="left", maintain_order="left").with_columns(
            pl.col("verdict").fill_null(str(Verdict.KEEP))
        )
    if states:
        wanted = [str(verdict) for state in states for verdict in _LEFT[state]]
        lines = lines.filter(pl.col("verdict").is_in(wanted))
    if "failed" in states:
        lines = pl.concat([lines.select(whole.columns), whole.filter(failed)])
    lines = lines.sort("n", maintain_order=True)
    lines = lines.head(limit) if limit else lines
    columns = ["id", "content", "messages", "alternatives", "target", "origin", "task", "language"]
    for start in range(0, lines.height, _PAGE):
        page = lines.slice(start, _PAGE)
        rows = table.read(columns, page["n"].to_numpy().astype("int64")).join(
            page, on="n", maintain_order="left"
        )
        for row in rows.iter_rows(named=True):
            yield _plain(row)


def _lines(run: Run, step: str | None) -> pl.DataFrame:
    frames = [
        run.folder.read_frame(
            part.ledger, ["n", "verdict", "reason", "score", "related", "detail"]
        ).with_columns(pl.lit(stage.id).alias("step"))
        for stage in run.folder.manifest.stages
        for part in stage.parts
        if part.ledger and (step is None or stage.id == step)
    ]
    if not frames:
        empty = {
            name: ledger.LEDGER[name] for name in ("n", "verdict", "reason", "score", "related", "detail")
        }
        return pl.DataFrame(schema={**empty, "step": pl.String()})
    return pl.concat(frames)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as plain JSON: nulls inside messages left out, the target as an object."""
    others: list[dict[str, Any]] = row["alternatives"] or []
    alternatives = [{**_given(each), "messages": _messages(each["messages"])} for each in others]
    target = orjson.loads(row["target"]) if row["target"] else None
    fields = (
        "id",
        "content",
        "task",
        "language",
        "origin",
        "verdict",
        "reason",
        "score",
        "related",
        "detail",
        "step",
    )
    texts = {"messages": _messages(row["messages"]), "target": target}
    return {name: row.get(name) for name in fields} | texts | {"alternatives": alternatives}


def _messages(given: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [_given(message) for message in given or []]


def _given(value: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each is not None}
