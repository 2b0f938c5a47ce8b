"""Records of a file: dictionaries with the line where each begins, and what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zhiling.pipeline.step import Bad


@dataclass(frozen=True)
class Records:
    """Records that follow each other in one file.

    Attributes:
        place: the file as it is told to users.
        lines: the line where each record begins.
        items: the records; CSV cells are strings, JSON values are what they are.
        bad: what could not be read among them.
        marks: what stands behind each line in places (`#turn 3`), where a line holds several items.
    """

    place: str
    lines: Sequence[int]
    items: Sequence[dict[str, Any]]
    bad: Sequence[Bad] = ()
    marks: Sequence[str] = ()
