"""Targeted selection: rows that are like a few examples of what is wanted, task after task in turn.

Source: Xia et al. 2024, LESS (a few target rows a task); Ivison et al. 2025 (cosine of vectors, in turn).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from zhiling.curation.selection.cells import nearest
from zhiling.curation.selection.choice import Choice, Numbers, Shares, Vectors, highest
from zhiling.errors import UsageError
from zhiling.rows.evaluation_file import read_records, read_texts

FIELDS = ("text", "question", "instruction", "input")


@dataclass(frozen=True)
class Target:
    """A row that shows what is wanted: its text, its task ("" where the file tells none), its place."""

    text: str
    task: str
    place: str


def read_targets(path: Path, name: str) -> list[Target]:
    """The rows of a JSONL or CSV file; `task` (or `label`) says which belong together.

    Raises:
        UsageError: the file is not there, has no row, or a row without text.
        DamagedFile: a line that cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"no such file: {name!r}", hint="`targets` is a JSONL or CSV file beside the recipe")
    texts = dict(read_texts(path, FIELDS))
    records = dict(read_records(path))
    found = [Target(texts[line], _task(records[line]), f"{name}#{line}") for line in texts]
    if not found:
        raise UsageError(f"{name!r} holds no row", hint="a few rows of each task are enough")
    return found


def _task(record: dict[str, object]) -> str:
    return next((str(record[key]) for key in ("task", "label") if record.get(key) is not None), "")


def choose(vectors: Vectors, wanted: Vectors, tasks: Sequence[str], shares: Shares) -> tuple[Choice, Numbers]:
    """Rows with their cosine to the target that each is for, and the number of that target.

    Each task in turn takes the row nearest to any of its targets that is still free, ties to the smaller
    number, until the shares are full.
    """
    waiting = [
        _ranked(vectors, wanted, np.flatnonzero([each == task for each in tasks]), shares)
        for task in sorted(set(tasks))
    ]
    left, taken = shares.quotas.copy(), np.zeros(len(vectors), dtype=np.bool_)
    found: list[tuple[int, float, int]] = []
    for ranked in cycle(waiting):
        if len(found) >= shares.size:
            break
        # Every task ranks as many rows of each stratum as it gives: there is always a free one.
        best = next(each for each in ranked if not taken[each[0]] and left[shares.stratum[each[0]]])
        taken[best[0]] = True
        left[shares.stratum[best[0]]] -= 1
        found.append(best)
    rows, scores, owners = zip(*found, strict=True) if found else ((), (), ())
    choice = Choice(np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float64))
    return choice, np.array(owners, dtype=np.int64)


def _ranked(
    vectors: Vectors, wanted: Vectors, targets: Numbers, shares: Shares
) -> Iterator[tuple[int, float, int]]:
    """Rows by their cosine to the nearest of these targets, falling: row, cosine, target.

    Of each stratum only as many as are asked for: no more can be taken, and of a hundred tasks all rows of a
    large table would not fit into memory.
    """
    target, cosine = nearest(vectors, wanted[targets])
    rows = highest(cosine.astype(np.float64), shares).rows
    rows = rows[np.lexsort((rows, -cosine[rows]))]
    return zip(rows.tolist(), cosine[rows].tolist(), targets[target[rows]].tolist(), strict=True)
