"""`zhiling.sqlite`: tables that outlive a run, each group with a version of its own, and errors in words.

The file lies in the project's root (write-ahead log, so readers never wait for a writer).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from zhiling.errors import DamagedFile, RunBusy, StepFailed, ZhilingError

_VERSIONS_TABLE = """
CREATE TABLE IF NOT EXISTS schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID
"""
_SET_VERSION = "INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT DO NOTHING"
_GET_VERSION = "SELECT version FROM schema_versions WHERE name = ?"
FILE_NAME = "zhiling.sqlite"
"""Beside the recipe, and above its `runs/`."""
_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"


class Database:
    """A group of tables; a context manager that closes its connection.

    Args:
        path: the database; it is created by the first write, and reading a missing one gives nothing.
        wait_s: how long to wait for another process that writes.
    """

    group: ClassVar[str]
    """Under which name the version of the tables stands."""
    version: ClassVar[int]
    what: ClassVar[str]
    """What the tables hold, for people."""
    tables: ClassVar[dict[str, str]]
    """Name → the statement that makes it; where the first is missing, nothing was ever written."""

    def __init__(self, path: Path, *, wait_s: float = 30.0) -> None:
        self.path, self.wait_s = path, wait_s
        self._open: sqlite3.Connection | None = None
        self._made = False

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
            self._open, self._made = None, False

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with self._explained():
            connection = self._connect()
            if connection.execute(_HAS_TABLE, (next(iter(self.tables)),)).fetchone() is None:
                return []
            self._check(connection)
            return connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """One transaction on tables that are there and of this version.

        Tables are made once a connection: with every commit of replies that cost a third of it.
        """
        with self._explained():
            connection = self._connect()
            if not self._made:
                connection.execute("PRAGMA journal_mode = WAL")
            with transaction(connection):
                if not self._made:
                    for table in (_VERSIONS_TABLE, *self.tables.values()):
                        connection.execute(table)
                    connection.execute(_SET_VERSION, (self.group, self.version))
                self._check(connection)
                yield connection
            self._made = True

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = sqlite3.connect(self.path, timeout=self.wait_s, isolation_level=None)
        return self._open

    def _check(self, connection: sqlite3.Connection) -> None:
        line = connection.execute(_GET_VERSION, (self.group,)).fetchone()
        if line is None or line[0] != self.version:
            found = line[0] if line else None
            raise DamagedFile(
                f"{self.what} of version {found!r}; this zhiling reads version {self.version}",
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
