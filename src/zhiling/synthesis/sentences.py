"""Single sentences: those that have labels, and those that have none."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import polars as pl

from zhiling.rows import target
from zhiling.rows.conversation import flatten
from zhiling.rows.templates import Unfit
from zhiling.synthesis.labelled_sets import Rows


@dataclass(frozen=True)
class Seed:
    """A labelled sentence: the row's id, its text and truth."""

    id: str
    text: str
    truth: target.Labels


def alone(rows: pl.DataFrame) -> pl.Series:
    """Which rows are labelled sentences (task `classification`), or utterances; shape (n,), bool.

    One message of the user without media, and if it has labels, no template has written it.
    """
    lines = flatten(rows["messages"])
    told = pl.col("media").list.len().fill_null(0) > 0
    single = (pl.len() == 1) & (pl.col("role") == "user").all() & ~told.any()
    singles = lines.group_by("row").agg(single.alias("alone")).filter("alone")["row"].implode()
    templated = pl.col("target").str.contains('"template":', literal=True).fill_null(value=False)
    labelled = (pl.col("task") == "classification") & pl.col("target").is_not_null() & ~templated
    wanted = (labelled | (pl.col("task") == "utterance")).fill_null(value=False)
    return rows.with_row_index("row").select(wanted & pl.col("row").is_in(singles)).to_series()


def seeds_of(rows: pl.DataFrame) -> list[Seed]:
    """The labelled sentences among the rows, by id."""
    found = [
        Seed(row.id, row.example.turns[0].text, row.example.truth)
        for row in Rows(rows.filter(pl.col("task") == "classification"))
        if not isinstance(row, Unfit) and isinstance(row.example.truth, target.Labels)
    ]
    return sorted(found, key=lambda seed: seed.id)


def utterances_of(rows: pl.DataFrame) -> dict[str, list[str]]:
    """Each text that an utterance says, in order, and the ids of those that say it."""
    said = rows.filter(pl.col("task") == "utterance")
    told: defaultdict[str, list[str]] = defaultdict(list)
    for text, id in zip(flatten(said["messages"])["text"].to_list(), said["id"].to_list(), strict=True):
        if text and text.strip():
            told[text].append(id)
    return {text: sorted(told[text]) for text in sorted(told)}
