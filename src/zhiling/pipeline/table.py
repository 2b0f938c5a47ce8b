"""The rows of a run so far: where each lies on disk, which are still kept, what was measured.

Numbers `n` count up from 0 without gaps, so a row's state is one byte of an array and a part of the
rows is a range. Frames are read from Parquet by column and range; nothing else is held in memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from zhiling.pipeline.ledger import TERMINAL
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import read_frame
from zhiling.rows.schema import MATERIAL_TASKS, ROW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zhiling.pipeline.store import RunFolder, Stage

KEPT, FLAGGED, REVIEW, REJECTED, FAILED, REPLACED = range(6)

_STATE: Mapping[str, int] = {
    Verdict.FLAG: FLAGGED,
    Verdict.REVIEW: REVIEW,
    Verdict.REJECT: REJECTED,
    Verdict.FAILED: FAILED,
    Verdict.REPLACED: REPLACED,
}
_KEPT_STATES = (KEPT, FLAGGED, REVIEW)


@dataclass(frozen=True)
class RowsPart:
    """A Parquet file of rows `first` to `last` (half open), and the kind of stage that wrote it."""

    path: str
    first: int
    last: int
    kind: str


@dataclass(frozen=True)
class MeasuresPart:
    """A Parquet file of measures; all its rows lie within `first` to `last` (half open)."""

    path: str
    first: int
    last: int


@dataclass(frozen=True)
class RowFiles:
    """Where the rows and measures of a run lie on disk: all that reading them takes, in any process."""

    folder: Path
    parts: Sequence[RowsPart]
    measures: Mapping[str, Sequence[MeasuresPart]]

    def read(self, columns: Sequence[str], numbers: NDArray[np.int64]) -> pl.DataFrame:
        """`n` and the columns of these rows, in the order of `numbers`; see `RowTable.read`."""
        record = [name for name in columns if name in ROW and name != "n"]
        fields = [name for name in columns if name in ("group", "via", "source", "licence", "locator")]
        frame = self._read_record(record, fields, numbers)
        for step_id in dict.fromkeys(_owner(name) for name in columns if _owner(name)):
            wanted = [name for name in columns if _owner(name) == step_id]
            if step_id not in self.measures:  # it saw no row at all
                frame = frame.with_columns(
                    pl.lit(False).alias(f"seen:{step_id}"), *(pl.lit(None).alias(name) for name in wanted)
                )
                continue
            frame = frame.join(
                self._read_measures(step_id, wanted, numbers), on="n", how="left", maintain_order="left"
            ).with_columns(pl.col(f"seen:{step_id}").fill_null(False))
        return frame

    def _read_record(
        self, columns: Sequence[str], fields: Sequence[str], numbers: NDArray[np.int64]
    ) -> pl.DataFrame:
        ordered = bool(np.all(numbers[1:] > numbers[:-1])) if len(numbers) > 1 else True
        wanted = numbers if ordered else np.sort(numbers)
        stored = list(dict.fromkeys((*columns, *(("origin",) if fields else ()))))
        pieces: list[pl.DataFrame] = []
        for part in self._parts_of(wanted):
            low, high = np.searchsorted(wanted, [part.first, part.last])
            if low == high:
                continue
            frame = read_frame(self.folder / part.path, ["n", *stored])
            if high - low < frame.height:
                frame = frame[wanted[low:high] - part.first]
            if fields:
                frame = frame.with_columns(pl.col("origin").struct.field(name) for name in fields)
                frame = frame if "origin" in columns else frame.drop("origin")
            pieces.append(frame)
        if not pieces:
            empty = {"n": ROW["n"], **{name: ROW[name] for name in columns}}
            return pl.DataFrame(schema=empty | {name: _field_type(name) for name in fields})
        whole = pl.concat(pieces)
        return whole if ordered else whole[np.searchsorted(wanted, numbers)]

    def _parts_of(self, numbers: NDArray[np.int64]) -> Iterator[RowsPart]:
        """The parts from the one of the first of these rows (ascending) to that of the last."""
        if not len(numbers):
            return
        place = bisect_right(self.parts, int(numbers[0]), key=attrgetter("last"))
        while place < len(self.parts) and self.parts[place].first <= numbers[-1]:
            yield self.parts[place]
            place += 1

    def _read_measures(self, step_id: str, columns: list[str], numbers: NDArray[np.int64]) -> pl.DataFrame:
        """The measures of (at least) these rows: files that lie beside them are not opened."""
        parts = self.measures[step_id]
        low, high = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, -1)
        near = [part for part in parts if part.first <= high and low < part.last] or parts[:1]
        frames = [read_frame(self.folder / part.path, ["n", *columns]) for part in near]
        return pl.concat(frames).with_columns(pl.lit(True).alias(f"seen:{step_id}"))


class RowTable:
    """All rows of a run, kept or not."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.parts: list[RowsPart] = []
        self.state: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self.material: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self.rounds: NDArray[np.uint16] = np.zeros(0, dtype=np.uint16)
        self._measures: dict[str, list[MeasuresPart]] = {}

    def __len__(self) -> int:
        return len(self.state)

    def add_rows(self, path: str, first: int, tasks: pl.Series, kind: str, round: int = 0) -> None:
        """Takes a finished part of new rows; they are kept."""
        if first != len(self):
            raise ValueError(f"rows must be numbered without gaps: expected {len(self)}, got {first}")
        height = len(tasks)
        self.parts.append(RowsPart(path, first, first + height, kind))
        self.state = _longer(self.state, np.zeros(height, dtype=np.uint8))
        material = tasks.is_in(list(MATERIAL_TASKS)).fill_null(False).to_numpy()
        self.material = _longer(self.material, material)
        self.rounds = _longer(self.rounds, np.full(height, round, dtype=np.uint16))

    def add_measures(self, step_id: str, path: str) -> None:
        """Takes a finished part of measures."""
        numbers = self._run.read_frame(path, ["n"])["n"]
        first, last = cast(int, numbers.min() or 0), cast(int, numbers.max() or 0)
        self._measures.setdefault(step_id, []).append(MeasuresPart(path, first, last + 1))

    def files(self) -> RowFiles:
        """What reading the rows takes, as it is now: later parts are not in it."""
        measures = {step_id: tuple(parts) for step_id, parts in self._measures.items()}
        return RowFiles(self._run.path, tuple(self.parts), measures)

    def judge(self, ledger: pl.DataFrame) -> None:
        """Takes a finished part of the ledger: rejected, failed and replaced rows leave."""
        verdicts = ledger["verdict"].replace_strict(_STATE, default=None, return_dtype=pl.UInt8)
        lines = pl.DataFrame({"n": ledger["n"], "state": verdicts}).drop_nulls()
        numbers, states = lines["n"].to_numpy(), lines["state"].to_numpy()
        # a later flag does not take a row out of review, and no verdict brings a row back
        self.state[numbers] = np.maximum(self.state[numbers], states)

    def kept(self, *, material: bool | None = None) -> NDArray[np.int64]:
        """Numbers of rows that are kept (flagged and waiting ones too); by kind where `material` says so."""
        mask = np.isin(self.state, _KEPT_STATES)
        if material is not None:
            mask &= self.material == material
        return np.flatnonzero(mask)

    def waiting(self) -> NDArray[np.int64]:
        """Numbers of kept rows that wait for review: outside the export."""
        return np.flatnonzero(self.state == REVIEW)

    def exported(self) -> NDArray[np.int64]:
        """Numbers of rows that an export holds: kept, no material, not waiting for review."""
        return np.flatnonzero(np.isin(self.state, (KEPT, FLAGGED)) & ~self.material)

    def made(self) -> NDArray[np.int64]:
        """Numbers of rows that a step wrote (not a source), kept or not."""
        ranges = [np.arange(part.first, part.last) for part in self.parts if part.kind == "make"]
        return np.concatenate(ranges) if ranges else np.empty(0, dtype=np.int64)

    def sources(self) -> NDArray[np.int64]:
        """Numbers of rows as the sources gave them, before any step."""
        ranges = [np.arange(part.first, part.last) for part in self.parts if part.kind == "source"]
        return np.concatenate(ranges) if ranges else np.empty(0, dtype=np.int64)

    def measured_by(self) -> tuple[str, ...]:
        """Ids of steps that left columns, in their order."""
        return tuple(self._measures)

    def read(self, columns: Sequence[str], numbers: NDArray[np.int64]) -> pl.DataFrame:
        """`n` and the columns of these rows, in the order of `numbers`.

        A column of the record is taken as it is, `a.b` is what step `a` measured as `b` (null where it
        saw no such row; `seen:a` says which), `group` stands for `origin.group`, `via` for `origin.via`.
        """
        return RowFiles(self._run.path, self.parts, self._measures).read(columns, numbers)

    def batches(
        self, columns: Sequence[str], numbers: NDArray[np.int64], size: int
    ) -> Iterator[pl.DataFrame]:
        """The rows of `numbers` in pieces of `size`."""
        for start in range(0, len(numbers), size):
            yield self.read(columns, numbers[start : start + size])


def _longer(array: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    """The array with more behind it: in place where its buffer has room, else in one of twice the size.

    Appending part after part then moves each value twice, not once for every part behind it.
    """
    size = len(array) + len(more)
    room = array.base
    if room is None or len(room) < size:
        room = np.empty(2 * size, dtype=array.dtype)
        room[: len(array)] = array
    room[len(array) : size] = more
    return room[:size]


def _owner(column: str) -> str:
    return column.partition(".")[0] if "." in column else ""


def _field_type(name: str) -> pl.DataType:
    """The type of a field of `origin`."""
    return pl.DataFrame(schema={"origin": ROW["origin"]})["origin"].struct.field(name).dtype


def restore(run: RunFolder, stages: Sequence[Stage]) -> RowTable:
    """The table of a run on disk, built from its manifest and ledgers alone."""
    table = RowTable(run)
    for stage in stages:
        for part in stage.parts:
            if part.rows:
                tasks = run.read_frame(part.rows, ["task"])["task"]
                table.add_rows(part.rows, part.first, tasks, stage.kind, stage.round)
            if part.measures:
                table.add_measures(stage.id, part.measures)
            if part.ledger:
                table.judge(run.read_frame(part.ledger, ["n", "verdict"]))
    return table


__all__ = ["TERMINAL", "MeasuresPart", "RowFiles", "RowTable", "RowsPart", "restore"]
