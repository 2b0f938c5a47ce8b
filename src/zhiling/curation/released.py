"""The standing index: what was released before, so that new rows are compared with it and not with a corpus.

It lies in `zhiling.sqlite` (write-ahead log), beside the split assignments. Of each released row it keeps the
set of shingles, and one key for each MinHash band, so a lookup reads the few rows that share a bucket: its
cost grows with the rows that are looked up, and with the logarithm of those that stand there. A bucket gives
its 64 oldest rows at most, as rows of one template crowd into the same buckets; equal texts have a key of
their own, so no crowd hides them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import ClassVar

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.buckets import (
    LEAST_JACCARD,
    LONG_JACCARD,
    Keys,
    bucket_keys,
    packed,
    row_sets,
    together,
    unpacked,
)
from zhiling.curation.media import media_hashes
from zhiling.errors import UsageError
from zhiling.pipeline.database import Database
from zhiling.pipeline.fingerprint import canonical
from zhiling.rows.schema import digest
from zhiling.text.overlap import jaccard

_BUCKET_ROWS = 64
_ROWS_AT_ONCE = 2_000

_RELEASES = """
CREATE TABLE IF NOT EXISTS releases (
    run TEXT PRIMARY KEY, mark TEXT NOT NULL, first INTEGER NOT NULL, beyond INTEGER NOT NULL,
    digest TEXT NOT NULL, time TEXT NOT NULL
) WITHOUT ROWID
"""
_RELEASED_ROWS = """
CREATE TABLE IF NOT EXISTS released_rows (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, media INTEGER NOT NULL, shingles BLOB NOT NULL
)
"""
_RELEASED_KEYS = """
CREATE TABLE IF NOT EXISTS released_keys (
    key INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (key, row)
) WITHOUT ROWID
"""
_MEETINGS = (
    "SELECT k.key, k.row FROM json_each(?) p JOIN released_keys k ON k.key = p.value AND k.row IN"
    " (SELECT row FROM released_keys WHERE key = p.value AND NOT row BETWEEN ? AND ? ORDER BY row LIMIT ?)"
)
_ROWS = (
    "SELECT r.row, e.run || ':' || r.id, r.shingles FROM json_each(?) p"
    " JOIN released_rows r ON r.row = p.value"
    " JOIN releases e ON r.row >= e.first AND r.row < e.beyond ORDER BY r.row"
)


@dataclass(frozen=True)
class Nearest:
    """The released row that is most like each row: `related` (`run:id`, null: none), its `similarity`."""

    related: pl.Series
    similarity: NDArray[np.float64]


@dataclass(frozen=True)
class Release:
    """A run in the index."""

    run: str
    rows: int
    time: str


class Released(Database):
    """The standing index of a project; a context manager that closes its connection.

    Args:
        path: the database; it is created by the first `add`, and reading a missing one gives nothing.
        wait_s: how long to wait for another process that writes.
    """

    group: ClassVar[str] = "released"
    version: ClassVar[int] = 2
    what: ClassVar[str] = "standing index"
    tables: ClassVar[dict[str, str]] = {
        "releases": _RELEASES, "released_rows": _RELEASED_ROWS, "released_keys": _RELEASED_KEYS,
    }  # fmt: skip

    def state(self, run: str = "") -> str:
        """A digest of all releases but the run's own; empty where there are none.

        Raises:
            RunBusy: another process holds the database.
            DamagedFile: it is no database, or one of a newer zhiling.
            StepFailed: it cannot be opened.
        """
        lines = self._read("SELECT run, digest FROM releases WHERE run <> ? ORDER BY run", (run,))
        return digest(canonical(lines)) if lines else ""

    def releases(self) -> list[Release]:
        """The runs in the index, in the order in which they came; raises as `state`."""
        lines = self._read("SELECT run, beyond - first, time FROM releases ORDER BY first, run")
        return [Release(*line) for line in lines]

    def nearest(self, messages: pl.Series, run: str = "", least: float = LONG_JACCARD) -> Nearest:
        """The released row most like each of these, if at least `least`; a run's own rows left out.

        Of equally similar ones it is the one that was released first. Below LONG_JACCARD only rows of at most
        SHORT_SHINGLES are looked for. Raises as `state`.
        """
        related = pl.Series("related", [None] * len(messages), dtype=pl.String)
        similarity = np.zeros(len(messages))
        for start in range(0, len(messages), _ROWS_AT_ONCE):
            places, names, similar = self._nearest(messages.slice(start, _ROWS_AT_ONCE), run, least)
            related = related.scatter(start + places, names)
            similarity[start + places] = similar
        return Nearest(related, similarity)

    def _nearest(
        self, messages: pl.Series, run: str, least: float
    ) -> tuple[NDArray[np.int64], list[str], NDArray[np.float64]]:
        """Places of the rows that a released one is near to, that one's `run:id`, the similarity."""
        sets = row_sets(messages)
        met = self._met(bucket_keys(sets, media_hashes(messages), least), run)
        if met.is_empty():
            return np.empty(0, dtype=np.int64), [], np.empty(0)
        rows, names, blobs = zip(*self._read(_ROWS, (_json(met["row"].unique()),)), strict=True)
        place = met["place"].to_numpy()
        other = np.searchsorted(np.array(rows, dtype=np.int64), met["row"].to_numpy())
        similar = jaccard(together(sets, unpacked(blobs)), place, len(sets) + other)
        order = np.lexsort((other, -similar, place))
        best = order[np.unique(place[order], return_index=True)[1]]
        best = best[similar[best] >= max(least, LEAST_JACCARD)]
        return place[best], [names[each] for each in other[best]], similar[best]

    def add(self, run: str, mark: str, batches: Iterable[pl.DataFrame]) -> int:
        """Puts a run's rows into the index: all, or if it fails, none; returns how many.

        A run that is there already stays as it is: twice is as good as once.

        Args:
            run: the run's id.
            mark: what the run depends on (its fingerprint).
            batches: `id` and `messages` of its rows.

        Raises:
            UsageError: another run of this name is in the index.
            RunBusy, DamagedFile, StepFailed: as `state`; or the database cannot be written.
        """
        with self._writing() as connection:
            known = connection.execute(
                "SELECT mark, beyond - first FROM releases WHERE run = ?", (run,)
            ).fetchone()
            if known is not None:
                return _same(known, mark, run)
            first = row = connection.execute(
                "SELECT coalesce(max(beyond), 0) FROM releases"
            ).fetchone()[0]  # fmt: skip
            hasher = blake2b(digest_size=16)
            for batch in batches:
                _insert(connection, row, batch)
                hasher.update(canonical([batch["id"].to_list()]))
                row += batch.height
            time = datetime.now(UTC).isoformat(timespec="seconds")
            line = (run, mark, first, row, hasher.hexdigest(), time)
            connection.execute("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)", line)
            return row - first

    def remove(self, run: str) -> int:
        """Takes a run out of the index again; returns how many rows it had there.

        Raises:
            UsageError: it is not in the index.
            RunBusy, DamagedFile, StepFailed: as `add`.
        """
        if not any(release.run == run for release in self.releases()):
            listed = ", ".join(release.run for release in self.releases()) or "no run"
            raise UsageError(f"run {run!r} is not in the standing index", hint=f"there is: {listed}")
        with self._writing() as connection:
            first, beyond = connection.execute(
                "SELECT first, beyond FROM releases WHERE run = ?", (run,)
            ).fetchone()
            query = "SELECT media, shingles FROM released_rows WHERE row >= ? AND row < ? ORDER BY row"
            for start in range(first, beyond, _ROWS_AT_ONCE):
                lines = connection.execute(query, (start, min(start + _ROWS_AT_ONCE, beyond))).fetchall()
                media = np.array([line[0] for line in lines], dtype=np.int64)
                keys, places = bucket_keys(unpacked([line[1] for line in lines]), media)
                pairs = zip(keys.tolist(), (start + places).tolist(), strict=True)
                connection.executemany("DELETE FROM released_keys WHERE key = ? AND row = ?", pairs)
            connection.execute("DELETE FROM released_rows WHERE row >= ? AND row < ?", (first, beyond))
            connection.execute("DELETE FROM releases WHERE run = ?", (run,))
            return beyond - first

    def _met(self, buckets: tuple[Keys, Keys], run: str) -> pl.DataFrame:
        """`place` of a row and `row` of a released one, for all that share a bucket, each pair once."""
        own = self._read("SELECT first, beyond - 1 FROM releases WHERE run = ?", (run,))
        first, last = own[0] if own else (0, -1)
        keys, places = buckets
        lines = self._read(_MEETINGS, (_json(pl.Series(keys).unique()), first, last, _BUCKET_ROWS))
        met = pl.DataFrame(lines, schema={"key": pl.Int64, "row": pl.Int64}, orient="row")
        return (
            pl.DataFrame({"key": keys, "place": places}).join(met, on="key").select("place", "row").unique()
        )


def _same(known: tuple[str, int], mark: str, run: str) -> int:
    """The rows of a run that is in the index already; another one of its name is an error."""
    if known[0] != mark:
        raise UsageError(
            f"another run named {run!r} is in the standing index",
            hint=f"take that out with `zhiling index --remove {run}`, if it was never released",
        )
    return known[1]


def _insert(connection: sqlite3.Connection, first: int, batch: pl.DataFrame) -> None:
    sets, media = row_sets(batch["messages"]), media_hashes(batch["messages"])
    numbers = range(first, first + batch.height)
    lines = zip(numbers, batch["id"].to_list(), media.tolist(), packed(sets), strict=True)
    connection.executemany("INSERT INTO released_rows VALUES (?, ?, ?, ?)", lines)
    keys, places = bucket_keys(sets, media)
    order = np.lexsort((places, keys))  # in the order of the tree: each of its pages is written once
    pairs = zip(keys[order].tolist(), (first + places[order]).tolist(), strict=True)
    connection.executemany("INSERT OR IGNORE INTO released_keys VALUES (?, ?)", pairs)


def _json(numbers: pl.Series) -> str:
    return orjson.dumps(numbers.to_list()).decode()
