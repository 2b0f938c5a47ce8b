"""What the step `template` learns from all rows: labels of each set, bounds of scores, demonstrations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from zhiling.pipeline.step import Context
from zhiling.rows import target
from zhiling.rows.conversation import flatten
from zhiling.rows.templates import Example, Turn, Unfit
from zhiling.rows.templates.example import truth_of
from zhiling.rows.templates.shapes import SHAPES

PER_LABEL = 16
"""Demonstrations that are kept of each label (and of the rows without one)."""

_POOL = ("id", "group", "messages", "target", "task", "source")
_DRAW = 100  # of the draw that chooses the demonstrations
_PIECE = 20_000  # rows that are Python objects at one time
_SHORT = 200  # targets up to this length are parsed once for all rows that have them

SetKey = tuple[str, str, str]
"""Task, source, shape."""


@dataclass(frozen=True)
class Labelled:
    """A row as an example.

    Attributes:
        id: the row's id.
        group: what it must not be separated from; its id where it has none.
        source: the id of its source.
        example: its texts and truth.
        fields: what a prompt must show of it.
    """

    id: str
    group: str
    source: str
    example: Example
    fields: frozenset[str]

    @cached_property
    def key(self) -> SetKey:
        """The set that it belongs to."""
        return self.example.task, self.source, self.example.shape

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Labels of its truth."""
        return SHAPES[self.example.shape].names(self.example.truth)


@dataclass
class LabelledSet:
    """One set: rows of one task, source and shape."""

    labels: list[str] = field(default_factory=list)
    empty: bool = False
    bounds: tuple[float, float] | None = None
    pool: dict[str, list[Labelled]] = field(default_factory=dict)
    passages: list[tuple[str, str]] = field(default_factory=list)
    """(group, passage) of the pool's rows."""

    @cached_property
    def strata(self) -> list[list[Labelled]]:
        """The pool's rows, a list for each label."""
        return list(self.pool.values())


class Rows:
    """Rows of a frame as examples; a row that is none is a reason."""

    def __init__(self, rows: pl.DataFrame) -> None:
        self._columns = {
            name: rows[name].cast(pl.String).to_list() for name in ("id", "group", "target", "task", "source")
        }
        lines = flatten(rows["messages"])
        self._turns = [lines[name].to_list() for name in ("role", "text", "name")]
        self._ends = rows["messages"].list.len().fill_null(0).cum_sum().to_list()
        self._truths: dict[tuple[str, str | None], Any] = {}

    def __iter__(self) -> Iterator[Labelled | Unfit]:
        roles, texts, names = self._turns
        columns = self._columns
        start = 0
        for row, end in enumerate(self._ends):
            turns = [Turn(roles[at], texts[at] or "", names[at]) for at in range(start, end)]
            start = end
            try:
                example = Example(columns["task"][row], turns, self._truth(row))
            except Unfit as error:
                yield error
                continue
            id = columns["id"][row]
            fields = frozenset(example.layout.fields)
            yield Labelled(id, columns["group"][row] or id, columns["source"][row] or "", example, fields)

    def _truth(self, row: int) -> Any:
        task, document = self._columns["task"][row], self._columns["target"][row]
        key = task, document
        if key in self._truths:
            return self._truths[key]
        truth = truth_of(task, document)
        if document is None or len(document) <= _SHORT:
            self._truths[key] = truth
        return truth


def learn(rows: pl.DataFrame, context: Context, folder: Path, *, demonstrations: bool) -> None:
    """Writes what `load` reads: `sets.json` and, where demonstrations are wanted, `pool.parquet`."""
    sets: defaultdict[SetKey, LabelledSet] = defaultdict(LabelledSet)
    labels: defaultdict[SetKey, set[str]] = defaultdict(set)
    strata: list[str | None] = []
    for row in (row for piece in rows.iter_slices(_PIECE) for row in Rows(piece)):
        if isinstance(row, Unfit):
            strata.append(None)
            continue
        names = row.names
        labels[row.key].update(names)
        _widen(sets[row.key], row.example.truth)
        strata.append(orjson.dumps([*row.key, names[0] if names else ""]).decode())
    told = [
        {"key": key, "labels": sorted(labels[key]), "empty": each.empty, "bounds": each.bounds}
        for key, each in sorted(sets.items())
    ]
    (folder / "sets.json").write_bytes(orjson.dumps(told))
    pool = (
        rows.clear()
        if not demonstrations
        else _pool(rows, pl.Series("stratum", strata, dtype=pl.String), context)
    )
    pool.select(_POOL).write_parquet(folder / "pool.parquet")


def _widen(found: LabelledSet, truth: Any) -> None:
    if isinstance(truth, target.Score):
        low, high = found.bounds or (truth.score, truth.score)
        found.bounds = min(low, truth.score), max(high, truth.score)
    elif _is_empty(truth):
        found.empty = True


def _is_empty(truth: Any) -> bool:
    """Whether the truth is that nothing fits."""
    match truth:
        case target.Labels(labels=told) | target.Entities(spans=told) | target.Relations(relations=told):
            return not told
        case target.Answers(answers=told) | target.DialogueState(state=told) | target.Steps(steps=told):
            return not told
        case _:
            return False


def _pool(rows: pl.DataFrame, strata: pl.Series, context: Context) -> pl.DataFrame:
    """The first rows of each label, by a draw that no order of rows changes."""
    drawn = rows.with_columns(strata, pl.Series("draw", context.uniform(rows["id"], _DRAW))).drop_nulls(
        "stratum"
    )
    return drawn.sort("draw").group_by("stratum", maintain_order=True).head(PER_LABEL)


def load(folder: Path, shots_from: str | None = None) -> dict[SetKey, LabelledSet]:
    """The sets that `learn` found.

    Args:
        folder: the step's state.
        shots_from: the source of all demonstrations; None: each set's own.
    """
    sets = {
        tuple(each["key"]): LabelledSet(
            each["labels"], each["empty"], each["bounds"] and tuple(each["bounds"])
        )
        for each in orjson.loads((folder / "sets.json").read_bytes())
    }
    for row in Rows(pl.read_parquet(folder / "pool.parquet")):
        if isinstance(row, Unfit):
            continue
        for key, each in sets.items():
            lends = row.source == shots_from and (key[0], key[2]) == (row.key[0], row.key[2])
            if key == row.key if shots_from is None else lends:
                names = row.names
                each.pool.setdefault(names[0] if names else "", []).append(row)
                each.passages += _passages(row)
                each.labels = sorted({*each.labels, *names})
    return sets


def _passages(row: Labelled) -> list[tuple[str, str]]:
    return [(row.group, turn.text) for turn in row.example.turns if turn.name == target.CONTEXT]
