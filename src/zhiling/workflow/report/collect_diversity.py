"""How diverse the rows were after each step, on samples of one size, beside a reference of real rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.diversity import DISTINCT, EMPTY, LENGTHS, LONGEST, Diverse, counted, measured, sampled
from zhiling.curation.parts import part_text
from zhiling.encoders.build import build_encoder
from zhiling.errors import UsageError, ZhilingError
from zhiling.llm.location import located
from zhiling.pipeline.step import Encoder, Verdict
from zhiling.rows.conversation import dialogue
from zhiling.rows.evaluation_file import read_records, read_texts
from zhiling.workflow.inspect.book import Book
from zhiling.workflow.report.facts import DiversityCells, DiversityFacts, DiversityLine
from zhiling.workflow.settings import DiversitySettings, EvaluateSettings

FIELDS = ("text", "question", "instruction", "input")
"""Where a reference's record has its text, the first that it has; else its user messages."""
MOST_CELLS = 30
_FEWEST = 2
_ON = "user"
"""What is measured: what users say, which a reference has as well."""
_BATCH = 20_000
_GONE = [str(verdict) for verdict in (Verdict.REJECT, Verdict.FAILED, Verdict.REPLACED)]
_NUMBERS = NDArray[np.int64]


def diversity_facts(book: Book) -> DiversityFacts:
    """The page's facts; of what cannot be had, why."""
    settings = DiversitySettings.model_validate(book.recipe.get("diversity") or {})
    name, fields = _reference_name(book, settings)
    reference, problem = _reference(book.path.parent.parent, name, fields)
    lines, stages = _sampled_lines(book, settings.size, reference)
    size = min([len(texts) for texts in stages.values()], default=0)
    encoder, found, beside = "", list[Diverse](), None
    given = book.recipe.get("encoder")
    if stages:
        try:
            encoder, (found, beside) = _measured(book, list(stages.values()), reference, size)
        except ZhilingError as error:
            problem, size = str(error), 0
    figures = dict(zip(stages, map(_figures, found), strict=False))
    cells, distinct = _cells(book, reference)
    return DiversityFacts(
        size=size if found else 0, encoder=encoder, given=bool(given),
        lines=tuple(DiversityLine(id, rows, figures.get(id, {})) for id, rows in lines),
        reference=DiversityLine(name, reference.height, _figures(beside)) if beside else None,
        reference_name=name, problem=problem, lengths=_length_names(), cells=cells, distinct_cells=distinct,
    )  # fmt: skip


def _length_names() -> tuple[str, ...]:
    return (EMPTY, *LENGTHS, LONGEST)


def _reference_name(book: Book, settings: DiversitySettings) -> tuple[str, tuple[str, ...]]:
    """The file that the recipe names, else its evaluation file, and the fields with a record's text."""
    if settings.reference:
        return settings.reference, FIELDS
    evaluate = EvaluateSettings.model_validate(book.recipe.get("evaluate") or {})
    return evaluate.data or "", (evaluate.text, *FIELDS)


def _reference(root: Path, name: str, fields: tuple[str, ...]) -> tuple[pl.DataFrame, str]:
    """The reference's rows (none where none is named), and what is wrong with it."""
    empty = pl.DataFrame(schema={"id": pl.String}).with_columns(
        messages=dialogue({"user": pl.Series(dtype=pl.String)})
    )
    if not name:
        return empty, ""
    file = root / name
    try:
        if not file.is_file():
            raise UsageError(f"no such file: {name!r}", hint="the reference is a JSONL or CSV file")
        records = dict(read_records(file))
        texts = dict(read_texts(file, fields))
    except ZhilingError as error:
        return empty, str(error)
    told = [(f"{name}#{line}", *_told(records[line])) for line in texts]
    frame = pl.DataFrame(told, schema=dict.fromkeys(("id", "task", "language"), pl.String), orient="row")
    messages = dialogue({"user": pl.Series(list(texts.values()), dtype=pl.String)})
    return frame.with_columns(messages), ""


def _told(record: Mapping[str, Any]) -> tuple[str | None, str | None]:
    values = (record.get("task"), record.get("language"))
    return cast(
        tuple[str | None, str | None], tuple(each if isinstance(each, str) else None for each in values)
    )


def _sampled_lines(
    book: Book, size: int, reference: pl.DataFrame
) -> tuple[list[tuple[str, int]], dict[str, pl.Series]]:
    """Each line's id and rows, and the texts of a sample of those that have rows enough, all of one size."""
    standing = list(_standing(book))
    enough = {id: numbers for id, numbers in standing if len(numbers) >= _FEWEST}
    fewest = min([len(each) for each in enough.values()], default=0)
    size = min(size, fewest, *([reference.height] if reference.height >= _FEWEST else []))
    draws = _draws(book.identity["id"])
    texts: dict[str, pl.Series] = {}
    for id, numbers in enough.items():
        drawn = numbers[np.argsort(draws[numbers], kind="stable")[:size]]
        texts[id] = part_text(book.table.read(["messages"], np.sort(drawn))["messages"], _ON)
    return [(id, len(numbers)) for id, numbers in standing], texts


def _standing(book: Book) -> Iterator[tuple[str, _NUMBERS]]:
    """The rows (without material) of the sources, then after each step that changed them; rounds added up."""
    there = np.zeros(len(book.table), dtype=np.bool_)
    last = {stage.id: place for place, stage in enumerate(book.stages)}
    begun, changed = False, True
    for place, stage in enumerate(book.stages):
        if stage.kind != "source" and not begun:
            begun, changed = True, False
            yield "", np.flatnonzero(there)
        for part in stage.parts:
            if part.rows:
                made = ~book.table.material[part.first : part.last]
                there[part.first : part.last] = made
                changed = changed or bool(made.any())
        if stage.kind != "source":
            lines = book.ledger(stage, ["n", "verdict"])
            gone = lines.filter(pl.col("verdict").is_in(_GONE))["n"].to_numpy()
            changed = changed or bool(there[gone].any())
            there[gone] = False
        if begun and changed and last[stage.id] == place:
            changed = False
            yield stage.id, np.flatnonzero(there)
    if not begun:
        yield "", np.flatnonzero(there)


def _draws(ids: pl.Series) -> NDArray[np.uint64]:
    """A number for each id that depends on it alone."""
    words = b"".join(blake2b(id.encode(), digest_size=8, key=b"diversity").digest() for id in ids.to_list())
    return np.frombuffer(words, dtype=">u8")


def _measured(
    book: Book, samples: list[pl.Series], reference: pl.DataFrame, size: int
) -> tuple[str, tuple[list[Diverse], Diverse | None]]:
    """The encoder's name, and the measures of the samples and the reference."""
    settings = dict(book.recipe.get("encoder") or {"use": "hashing"})
    path = settings.get("path")
    if isinstance(path, str):
        settings["path"] = located(path, book.path.parent.parent)
    encoder: Encoder = build_encoder(settings)
    beside = None
    if reference.height >= _FEWEST:
        beside = part_text(sampled(reference, size)["messages"], _ON)
    return str(settings["use"]), measured(samples, encoder, beside)


def _figures(found: Diverse | None) -> dict[str, float | None]:
    if found is None:
        return {}
    values = {f"distinct_{n}": found.distinct[n] for n in DISTINCT} | {
        "vendi": found.vendi, "novel_sum": found.novel_sum, "cluster_entropy": found.cluster_entropy,
    }  # fmt: skip
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _cells(book: Book, reference: pl.DataFrame) -> tuple[tuple[DiversityCells, ...], int]:
    """Exported rows by task, language and length, the largest first, and how many pairs there are in all."""
    counts = [
        counted(rows.rename({book.language: "language"}), _ON)
        for rows in book.table.batches(["messages", "task", book.language], book.table.exported(), _BATCH)
    ]
    key = (pl.col("task").fill_null(""), pl.col("language").fill_null(""))
    own = _by_pair(pl.concat(counts).with_columns(*key)) if counts else {}
    other = _by_pair(counted(reference, _ON).with_columns(*key))
    nothing = (0,) * len(_length_names())
    cells = [
        DiversityCells(*pair, sum(own.get(pair, nothing)), own.get(pair, nothing),
                       sum(other.get(pair, nothing)), other.get(pair, nothing))
        for pair in {**own, **other}
    ]  # fmt: skip
    cells.sort(key=lambda cell: (-cell.rows, -cell.reference_rows, cell.task, cell.language))
    return tuple(cells[:MOST_CELLS]), len(cells)


def _by_pair(counts: pl.DataFrame) -> dict[tuple[str, str], tuple[int, ...]]:
    """(task, language) → rows of each length."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for task, language, length, rows in counts.select("task", "language", "length", "rows").iter_rows():
        lengths = found.setdefault((task, language), {})
        lengths[length] = lengths.get(length, 0) + rows
    return {pair: tuple(lengths.get(name, 0) for name in _length_names()) for pair, lengths in found.items()}
