"""Gathers everything that the pages show from a run's folder; what is not there yet stays empty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from zhiling.pipeline.store import Stage
from zhiling.rows.conversation import question_text, reply_text
from zhiling.rows.target import LABEL
from zhiling.text.tokens import token_counts
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.report.collect_behaviour import behaviour_facts
from zhiling.workflow.report.collect_diversity import diversity_facts
from zhiling.workflow.report.collect_evaluation import evaluation_facts
from zhiling.workflow.report.collect_steps import step_facts
from zhiling.workflow.report.excerpts import excerpts
from zhiling.workflow.report.facts import (
    BadFacts,
    BadItem,
    CallsFacts,
    Histogram,
    LicenceFacts,
    ReportFacts,
    RowFacts,
    SourceFacts,
)
from zhiling.workflow.report.histograms import histogram

_MOST_VALUES = 30
_MOST_SAMPLES = 40
_MOST_BAD = 100
_EXCERPT_LIMIT = 300
_BATCH = 20_000


def collect(path: Path) -> ReportFacts:
    """All facts of the run in this folder.

    Raises:
        MissingInput: no run there.
        DamagedFile: a file of it cannot be read.
    """
    book = Book(path)
    manifest = book.run.manifest
    recipe = path / "recipe.yaml"
    exported, all_rows = _licence_counts(book)
    return ReportFacts(
        run=manifest.run,
        state=manifest.state,
        seed=manifest.seed,
        usd=manifest.usd,
        calls=_calls(manifest.results),
        counts=_counts(book),
        gates=manifest.gates,
        sources=tuple(_source(book, stage) for stage in book.stages if stage.kind == "source"),
        steps=step_facts(book),
        rows=_row_facts(book),
        diversity=diversity_facts(book),
        split=manifest.results.get("split"),
        exports=manifest.results.get("exports") or (),
        train=manifest.results.get("train"),
        evaluation=evaluation_facts(path),
        behaviour=behaviour_facts(path),
        bad=_bad(book),
        licences=_licences(all_rows, exported),
        recipe=recipe.read_text(encoding="utf-8", errors="replace") if recipe.is_file() else "",
        versions=manifest.versions,
        host=manifest.host,
    )


def _calls(results: Mapping[str, Any]) -> CallsFacts | None:
    """Estimate and spending; None where the recipe asks no model."""
    if "estimate" not in results and "spent" not in results:
        return None
    return CallsFacts(results.get("estimate", {}), results.get("spent", {}))


def _counts(book: Book) -> Mapping[str, Any]:
    """The run's counts; of a run that was left before it counted, from its files."""
    from zhiling.pipeline.books import summarise

    return book.run.manifest.counts or summarise(book.stages, book.table)


def _source(book: Book, stage: Stage) -> SourceFacts:
    line = book.sources.get(stage.id)
    rows = stage.counts.get("rows", {})
    return SourceFacts(
        id=stage.id, use=stage.use, rows=rows.get("out", 0), bad=rows.get("bad", 0), seconds=stage.seconds,
        reused=stage.reused, key=stage.key, settings=line.settings if line else {},
        given=frozenset(line.given) if line else frozenset(),
    )  # fmt: skip


def _row_facts(book: Book) -> RowFacts:
    exported = book.table.exported()
    tables: dict[str, tuple[tuple[str, int], ...]] = {}
    distinct: dict[str, int] = {}
    label = LABEL.alias("label")
    frame = book.table.read([book.language, "task", "source", "target"], exported).with_columns(label)
    frame = frame.rename({book.language: "language"})
    for name in ("language", "task", "source", "label"):
        counts = (
            frame[name].drop_nulls().value_counts(name="rows").sort(["rows", name], descending=[True, False])
        )
        tables[name] = tuple(counts.head(_MOST_VALUES).iter_rows())
        distinct[name] = counts.height
    parts = dict(book.splits["split"].value_counts().iter_rows())
    return RowFacts(
        exported=len(exported), material=len(book.table.kept(material=True)),
        waiting=len(book.table.waiting()), tables=tables, distinct=distinct, lengths=_lengths(book),
        parts={part: parts[part] for part in ("train", "dev", "test") if part in parts}, sample=_sample(book),
    )  # fmt: skip


def _lengths(book: Book) -> dict[str, Histogram]:
    """Tokens of the question and the reply of exported rows."""
    found: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {"question": [], "reply": []}
    for rows in book.table.batches(["messages"], book.table.exported(), _BATCH):
        for name, part in (("question", question_text), ("reply", reply_text)):
            texts = part(rows["messages"])
            found[name].append(token_counts(texts.filter(texts != "")).to_numpy().astype(np.float64))
    drawn = {name: histogram({"kept": np.concatenate(pieces)}) for name, pieces in found.items() if pieces}
    return {name: each for name, each in drawn.items() if each}


def _sample(book: Book) -> tuple[Any, ...]:
    """The first rows by id: ids are hashes, so this is a draw that a second look repeats."""
    rows = book.identity.filter(pl.col("n").is_in(book.table.exported())).sort("id").head(_MOST_SAMPLES)
    told = excerpts(book, rows["n"].to_list())
    return tuple(told[n] for n in rows["n"])


def _licence_counts(book: Book) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """(source, licence) → rows, of exported rows and of all that the sources gave."""

    def count(numbers: Any) -> dict[tuple[str, str], int]:
        frame = book.table.read(["source", "licence"], numbers).select(
            "source", pl.col("licence").fill_null("")
        )
        return {
            (source, licence): n
            for source, licence, n in frame.group_by("source", "licence").len().iter_rows()
        }

    return count(book.table.exported()), count(book.table.sources())


def _licences(
    all_rows: Mapping[tuple[str, str], int], exported: Mapping[tuple[str, str], int]
) -> tuple[LicenceFacts, ...]:
    pairs = sorted({*all_rows, *exported})
    return tuple(LicenceFacts(*pair, all_rows.get(pair, 0), exported.get(pair, 0)) for pair in pairs)


def _bad(book: Book) -> BadFacts:
    if not (book.path / "bad.parquet").is_file():
        return BadFacts(0, (), ())
    frame = book.run.read_frame("bad.parquet")
    counts = (
        frame.group_by("source", "class")
        .len()
        .sort("len", "source", "class", descending=[True, False, False])
    )
    shown = frame.head(_MOST_BAD).select(
        *(pl.col(name).fill_null("") for name in ("source", "place", "class")),
        *(pl.col(name).fill_null("").str.head(_EXCERPT_LIMIT) for name in ("message", "excerpt")),
    )
    items = tuple(BadItem(*line) for line in shown.iter_rows())
    return BadFacts(frame.height, tuple(counts.iter_rows()), items)
