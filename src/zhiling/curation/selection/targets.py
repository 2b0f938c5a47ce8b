"""Targeted selection: rows that are like a few examples of what is wanted, task after task in turn.

Source: Xia et al. 2024, LESS (a few target rows a task); Ivison et al. 2025 (cosine of vectors, in turn).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from zhiling.curation.selection.cells import nearest
from zhiling.curation.selection.choice import Choice, Numbers, Shares, Vectors
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
    numbers = {task: np.flatnonzero([each == task for each in tasks]) for task in sorted(set(tasks))}
    found = {task: nearest(vectors, wanted[targets]) for task, targets in numbers.items()}
    waiting = {task: iter(np.argsort(-cosine, kind="stable")) for task, (_, cosine) in found.items()}
    left, taken = shares.quotas.copy(), np.zeros(len(vectors), dtype=np.bool_)
    rows: list[int] = []
    scores: list[float] = []
    owners: list[int] = []
    for task in cycle(numbers):
        if len(rows) >= shares.size:
            break
        # Every task ranks every row, and a full stratum stays full: there is always a next one.
        row = next(int(row) for row in waiting[task] if not taken[row] and left[shares.stratum[row]])
        taken[row] = True
        left[shares.stratum[row]] -= 1
        rows.append(row)
        scores.append(float(found[task][1][row]))
        owners.append(int(numbers[task][found[task][0][row]]))
    choice = Choice(np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float64))
    return choice, np.array(owners, dtype=np.int64)
