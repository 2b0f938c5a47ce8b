"""A table step in pieces: rows that share a key, directly or over others, are decided together; others apart.

Four kinds of task, with Parquet files of one row group a destination between them:

    spread   a piece of the rows → what decides about each (kept), and its keys, by bucket
    meet     a bucket of keys → pairs of rows that share one
    route    the rows of a piece that meet others → by shard; the others are decided here
    decide   a shard, the whole of some components of the pairs → its verdicts

The components are found on the driver (union-find over all buckets' pairs), and so is the step's outcome put
together. Each row's texts are read once and what decides about it travels once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from zhiling.pipeline.apply import measured
from zhiling.pipeline.engines.engine import columns_of
from zhiling.pipeline.step import Step
from zhiling.pipeline.table import RowFiles
from zhiling.text.union_find import components

_parquet: Any = pq  # has no type stubs

Numbers = NDArray[np.int64]


@runtime_checkable
class MeetsByKey(Protocol):
    """A Decide over the table whose answer for a row depends only on rows that keys link it to."""

    crowd_rows: int
    """Rows of all keys that more rows than this share are decided together."""

    def meets_by_key(self) -> bool:
        """Whether this holds with the step's settings."""
        ...

    def prepared(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What decides about each row, in their order, with `id`; small beside the texts."""
        ...

    def meeting_keys(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """`row` (place in `prepared`) and `key` (u64): any number of keys a row."""
        ...

    def decide_prepared(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """What `decide` says of these rows, which share no key with any row outside."""
        ...

    def alone(self, ids: pl.Series) -> pl.DataFrame:
        """What `decide` says of rows that share no key with another."""
        ...


@dataclass(frozen=True)
class Shuffle:
    """One step's shuffle: what every task of it knows.

    Attributes:
        step: the step.
        files: where the rows lie.
        folder: where the pieces are written; every worker must reach it.
        pieces: how many pieces the rows are cut into.
        buckets: how many buckets the keys are spread over.
    """

    step: Step
    files: RowFiles
    folder: Path
    pieces: int
    buckets: int

    @property
    def meets(self) -> MeetsByKey:
        """The step, as what it must be here."""
        return cast(MeetsByKey, self.step)

    def spread(self, piece: int, numbers: Numbers) -> None:
        """Prepares a piece of the rows, and files its keys by bucket (the high bits of the key)."""
        rows = measured(self.step, self.files.read(columns_of(self.step), numbers))
        prepared = self.meets.prepared(rows)
        prepared.insert_column(0, rows["n"]).write_parquet(self._prepared(piece), compression="lz4")
        keys = self.meets.meeting_keys(prepared)
        bucket = (keys["key"].to_numpy() >> np.uint64(40)) * np.uint64(self.buckets) >> np.uint64(24)
        keys = pl.DataFrame({"n": rows["n"].gather(keys["row"]), "key": keys["key"]})
        _write_groups(self.folder / f"keys-{piece:05d}.parquet", keys, bucket.astype(np.int64), self.buckets)

    def meet(self, bucket: int) -> tuple[pl.DataFrame, NDArray[np.uint32]]:
        """Pairs `left, right` of rows that share a key of the bucket, and the rows of crowded keys."""
        keys = _read_group(self.folder, "keys", self.pieces, bucket)
        keys = keys.sort("key", "n")
        first = pl.col("n").first().over("key")
        shared = keys.select("n", first.alias("first"), pl.len().over("key").alias("size"))
        pairs = shared.filter(pl.col("n") != pl.col("first")).select(left="first", right="n").unique()
        crowd = shared.filter(pl.col("size") > self.meets.crowd_rows)["n"].unique()
        return pairs, crowd.to_numpy()

    def route(self, piece: int, numbers: Numbers, shard: Numbers, shards: int) -> pl.DataFrame:
        """Sends the rows of a piece that meet others to their shards; verdicts (with `n`) of the rest.

        Args:
            piece: which one.
            numbers: those of its rows that meet others.
            shard: where each of them is decided.
            shards: how many there are.
        """
        prepared = pl.read_parquet(self._prepared(piece), glob=False)
        routed = prepared.join(
            pl.DataFrame({"n": pl.Series(numbers, dtype=pl.UInt32), "shard": shard}), on="n"
        )
        target = self.folder / f"routed-{piece:05d}.parquet"
        _write_groups(target, routed.drop("shard"), routed["shard"].to_numpy(), shards)
        rest = prepared.select("n", "id").join(routed.select("n"), on="n", how="anti", maintain_order="left")
        return self.meets.alone(rest["id"]).insert_column(0, rest["n"])

    def decide(self, shard: int) -> pl.DataFrame:
        """The verdicts (with `n`) of a shard's rows."""
        rows = _read_group(self.folder, "routed", self.pieces, shard).sort("n")
        return self.meets.decide_prepared(rows.drop("n")).insert_column(0, rows["n"])

    def _prepared(self, piece: int) -> Path:
        return self.folder / f"prepared-{piece:05d}.parquet"


class Linked:
    """Components of rows that share keys, found bucket after bucket.

    Attributes:
        labels: of each row the smallest number in its component, 8 bytes a row.
    """

    def __init__(self, rows: int) -> None:
        self.labels: Numbers = np.arange(rows, dtype=np.int64)
        self._crowd = -1

    def add(self, pairs: pl.DataFrame, crowd: NDArray[np.uint32]) -> None:
        """Links the two rows of each pair, and all rows of crowded keys with each other."""
        left, right = pairs["left"].to_numpy().astype(np.int64), pairs["right"].to_numpy().astype(np.int64)
        if len(crowd):
            self._crowd = int(crowd[0]) if self._crowd < 0 else self._crowd
            left = np.concatenate([left, np.full(len(crowd), self._crowd)])
            right = np.concatenate([right, crowd.astype(np.int64)])
        if len(left):
            labels = self.labels
            self.labels = components(len(labels), labels[left], labels[right])[labels]

    def shards(self, rows: int) -> tuple[Numbers, Numbers]:
        """The rows that are linked to others (ascending), and the shard of each: whole components.

        Args:
            rows: about how many a shard should have; a larger component is a shard of its own.
        """
        sizes = np.bincount(self.labels, minlength=len(self.labels))
        linked = np.flatnonzero(sizes[self.labels] > 1)
        roots = np.flatnonzero(sizes > 1)
        roots = roots[np.argsort(-sizes[roots], kind="stable")]
        before = np.cumsum(sizes[roots]) - sizes[roots]
        shard_of = np.zeros(len(self.labels), dtype=np.int64)
        shard_of[roots] = np.unique(before // rows, return_inverse=True)[1]
        return linked, shard_of[self.labels[linked]]


def _write_groups(path: Path, frame: pl.DataFrame, group: Numbers, groups: int) -> None:
    """A Parquet file whose row group g holds the rows of group g (some are empty)."""
    ordered = frame[np.argsort(group, kind="stable")]
    bounds = np.searchsorted(np.sort(group), np.arange(groups + 1))
    table = cast(Any, ordered).to_arrow()
    with _parquet.ParquetWriter(path, table.schema, compression="lz4", use_dictionary=False) as writer:
        for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            writer.write_table(table.slice(start, stop - start), row_group_size=max(1, stop - start))


def _read_group(folder: Path, kind: str, pieces: int, group: int) -> pl.DataFrame:
    """Row group `group` of all files of a kind."""
    paths = [folder / f"{kind}-{piece:05d}.parquet" for piece in range(pieces)]
    return pl.concat([_row_group(path, group) for path in paths])


def _row_group(path: Path, group: int) -> pl.DataFrame:
    with _parquet.ParquetFile(path) as file:
        return pl.DataFrame(file.read_row_group(group))


def answer_of(parts: Iterable[pl.DataFrame], numbers: Sequence[int] | pl.Series) -> pl.DataFrame:
    """The verdicts of these rows, in their order, from parts with `n`."""
    rows = pl.DataFrame({"n": pl.Series(numbers, dtype=pl.UInt32)})
    return rows.join(pl.concat(list(parts)), on="n", how="left", maintain_order="left").drop("n")
