"""Labelled examples that a step makes, as the frame that it hands to the runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
import polars as pl
from pydantic import BaseModel

from zhiling.rows.conversation import nest
from zhiling.rows.target import spelled
from zhiling.rows.templates import Turn

_COLUMNS = {"task": pl.String(), "target": pl.String(), "extra": pl.String(), "sample": pl.Int64()}


@dataclass(frozen=True)
class MadeRow:
    """One new row.

    Attributes:
        task: its task.
        turns: its messages.
        truth: its target; None where the reply is the whole truth.
        parents: ids of the rows that it comes from; source, licence and group are the first one's.
        sample: its number among the rows of these parents.
        extra: what is told beside, for people.
    """

    task: str
    turns: Sequence[Turn]
    truth: BaseModel | None
    parents: Sequence[str]
    sample: int = 0
    extra: Mapping[str, object] = field(default_factory=dict[str, object])


def frame(made: Sequence[MadeRow]) -> pl.DataFrame:
    """The rows with the columns of `Made.rows`."""
    turns = [turn for row in made for turn in row.turns]
    flat = pl.DataFrame(turns, schema={"role": pl.String, "text": pl.String, "name": pl.String}, orient="row")
    columns = {
        "task": [row.task for row in made],
        "target": [None if row.truth is None else spelled(row.truth) for row in made],
        "extra": [orjson.dumps(row.extra).decode() if row.extra else None for row in made],
        "sample": [row.sample for row in made],
        "parents": [list(row.parents) for row in made],
    }
    told = pl.DataFrame(columns, schema={**_COLUMNS, "parents": pl.List(pl.String)})
    return told.with_columns(nest(flat, [len(row.turns) for row in made]).alias("messages"))
