"""Records of a file: dictionaries with the line where each begins, and what could not be read.

A reader may give its records as a frame; then sources that work on columns never see a dictionary, and all
others get them when they ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import polars as pl

from zhiling.pipeline.step import Bad

ROWS_AT_ONCE = 20_000
BYTES_AT_ONCE = 32_000_000


class FrameItems(Sequence[dict[str, Any]]):
    """The rows of a frame as dictionaries, made when the first one is asked for.

    Args:
        frame: a column a field; all of JSON's types, every record has every field.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    @cached_property
    def _items(self) -> list[dict[str, Any]]:
        return self.frame.to_dicts()

    def __len__(self) -> int:
        return self.frame.height

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, int) and "_items" not in self.__dict__:
            return self.frame.row(index, named=True)
        return self._items[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._items)


@dataclass(frozen=True)
class Records:
    """Records that follow each other in one file.

    Attributes:
        place: the file as it is told to users.
        lines: the line where each record begins (of a Parquet file: its row, from 1).
        items: the records; CSV cells are strings, JSON values are what they are.
        bad: what could not be read among them.
        marks: what stands behind each line in places (`#turn 3`), where a line holds several items.
    """

    place: str
    lines: Sequence[int]
    items: Sequence[dict[str, Any]]
    bad: Sequence[Bad] = ()
    marks: Sequence[str] = ()

    @property
    def frame(self) -> pl.DataFrame | None:
        """The records as columns, where the reader gave them so."""
        return self.items.frame if isinstance(self.items, FrameItems) else None


def gathered(read: Iterable[Records]) -> Iterator[Records]:
    """The same records; frames of equal columns that follow each other are one, up to 20,000 rows or 32 MB.

    What a column costs is then its content, not the number of blocks that it came in.
    """
    waiting: list[Records] = []
    height = size = 0
    for records in read:
        frame = records.frame
        if waiting and (frame is None or frame.schema != _schema(waiting[0])):
            yield _one(waiting)
            waiting, height, size = [], 0, 0
        if frame is None:
            yield records
            continue
        waiting.append(records)
        height += frame.height
        size += int(frame.estimated_size())
        if height >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield _one(waiting)
            waiting, height, size = [], 0, 0
    if waiting:
        yield _one(waiting)


def _schema(records: Records) -> pl.Schema | None:
    return None if records.frame is None else records.frame.schema


def _one(parts: list[Records]) -> Records:
    if len(parts) == 1:
        return parts[0]
    frame = pl.concat([part.frame for part in parts if part.frame is not None], rechunk=True)
    bad = [each for part in parts for each in part.bad]
    return Records(parts[0].place, _lines([part.lines for part in parts]), FrameItems(frame), bad)


def _lines(parts: list[Sequence[int]]) -> Sequence[int]:
    """The lines of all parts; a range where they are one."""
    if all(isinstance(part, range) for part in parts) and all(
        before[-1] + 1 == behind[0] for before, behind in pairwise(parts)
    ):
        return range(parts[0][0], parts[-1][-1] + 1)
    return [line for part in parts for line in part]
