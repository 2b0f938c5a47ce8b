"""What outlives a run: which ids once stood in which part of a split, for all runs of a project.

The file is `zhiling.sqlite` in the project's root (write-ahead log, so readers never wait for a writer).
A row counts by its root ids, so a rewrite of a test row is known as one too. What once stood in a test part
stays a test row for good; other parts follow the newest run of the same scheme.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from zhiling.errors import DamagedFile, RunBusy, StepFailed, ZhilingError

SCHEMA_VERSION = 1

VERSIONS_TABLE = """
CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID
"""
_TABLE = """
CREATE TABLE IF NOT EXISTS split_assignments (
    id TEXT NOT NULL, scheme TEXT NOT NULL, split TEXT NOT NULL, run TEXT NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (id, scheme)
) WITHOUT ROWID
"""
_SET_VERSION = "INSERT INTO schema_versions VALUES ('split_assignments', ?) ON CONFLICT DO NOTHING"
_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'split_assignments'"
_VERSION = "SELECT version FROM schema_versions WHERE name = 'split_assignments'"
_TEST_IDS = "SELECT DISTINCT id FROM split_assignments WHERE split = 'test' ORDER BY id"
_FORMER = "SELECT id, split FROM split_assignments WHERE scheme = ? ORDER BY id"
_RECORD = (
    "INSERT INTO split_assignments (id, scheme, split, run, time) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id, scheme) DO UPDATE SET split = excluded.split, run = excluded.run, time = excluded.time"
    " WHERE split_assignments.split NOT IN ('test', excluded.split)"
)

_SCHEMA = {"id": pl.String(), "split": pl.String()}


class Standing:
    """The split assignments of a project; a context manager that closes its connection.

    Args:
        path: the database; it is created by the first `record`, and reading a missing one gives nothing.
        wait_s: how long to wait for another process that writes.
    """

    def __init__(self, path: Path, *, wait_s: float = 30.0) -> None:
        self.path, self.wait_s = path, wait_s
        self._open: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, if one is open."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def test_ids(self) -> pl.Series:
        """All ids that ever stood in a test part of this project, sorted.

        Raises:
            RunBusy: another process holds the database.
            DamagedFile: it is no database, or one of a newer zhiling.
            StepFailed: it cannot be opened.
        """
        with self._explained():
            return pl.Series("id", [line[0] for line in self._read(_TEST_IDS)], dtype=pl.String)

    def former(self, scheme: str) -> pl.DataFrame:
        """`id`, `split` of each id's newest run under a scheme (see `SplitSettings.scheme`), sorted by id.

        Raises:
            RunBusy, DamagedFile, StepFailed: as `test_ids`.
        """
        with self._explained():
            return pl.DataFrame(self._read(_FORMER, scheme), schema=_SCHEMA, orient="row")

    def record(self, run: str, rows: pl.DataFrame, parts: pl.Series, scheme: str = "") -> None:
        """Remembers the part of each row's roots: all or, if it fails, none; twice is as good as once.

        Args:
            run: the run's id.
            rows: `id` and `roots` (list of ids; the own id counts anyway).
            parts: `train`, `dev` or `test` of each row.
            scheme: name of the settings and the seed of the split.

        Raises:
            RunBusy: another process kept writing for `wait_s`.
            DamagedFile: as `test_ids`.
            StepFailed: the database cannot be written (read-only, full disk).
        """
        listed = rows.select(
            pl.concat_list("id", pl.col("roots").fill_null([])).alias("id"), parts.alias("split")
        )
        known = (
            listed.explode("id", empty_as_null=False, keep_nulls=False).drop_nulls("id").unique().sort("id")
        )
        time = datetime.now(UTC).isoformat(timespec="seconds")
        with self._explained():
            connection = self._connect()
            connection.execute("PRAGMA journal_mode = WAL")
            with transaction(connection):
                connection.execute(VERSIONS_TABLE)
                connection.execute(_TABLE)
                connection.execute(_SET_VERSION, (SCHEMA_VERSION,))
                self._check(connection)
                lines = ((each, scheme, part, run, time) for each, part in known.iter_rows())
                connection.executemany(_RECORD, lines)

    def _read(self, query: str, *values: str) -> list[tuple[str, ...]]:
        if not self.path.exists():
            return []
        connection = self._connect()
        if connection.execute(_HAS_TABLE).fetchone() is None:
            return []
        self._check(connection)
        return connection.execute(query, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = sqlite3.connect(self.path, timeout=self.wait_s, isolation_level=None)
        return self._open

    def _check(self, connection: sqlite3.Connection) -> None:
        line = connection.execute(_VERSION).fetchone()
        if line is None or line[0] != SCHEMA_VERSION:
            found = line[0] if line else None
            raise DamagedFile(
                f"split assignments of version {found!r}; this zhiling reads version {SCHEMA_VERSION}",
                place=str(self.path),
                hint="use the zhiling that wrote it",
            )

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            explained = explain(error, self.path)
            if explained is None:
                raise
            raise explained from error


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All or nothing; waits for another writer first, so that it cannot fail half-way for one."""
    connection.execute("BEGIN IMMEDIATE")
    with contextlib.ExitStack() as undo:
        undo.callback(connection.rollback)
        yield
        connection.execute("COMMIT")
        undo.pop_all()


def explain(error: sqlite3.Error, path: Path) -> ZhilingError | None:
    """The error that says what to do about a database that cannot be used; None for an error of ours."""
    place = str(path)
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return RunBusy("another process is writing to it", place=place, hint="wait for it, or stop it")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DamagedFile(
                f"not a readable database: {error}",
                place=place,
                hint="restore a copy; without it the project forgets which rows stood in a test part",
            )
        case sqlite3.SQLITE_FULL:
            return StepFailed("the disk is full", place=place, hint="make room, then `zhiling run`")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_IOERR:
            return StepFailed(
                f"cannot be opened or written: {error}",
                place=place,
                hint="the folder must exist and be writable; or choose another one",
            )
        case _:
            return None
