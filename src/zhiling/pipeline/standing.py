"""`zhiling.sqlite`: what outlives a run. Here: in which split part each source row ever stood.

A row that once stood in a test part never enters a later training part of the project; it is followed
by the ids of the source rows that it descends from, so a rewrite does not hide it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from zhiling.errors import DamagedFile, StepFailed

SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 30.0

_TABLES = """
CREATE TABLE IF NOT EXISTS split_assignments (
    root TEXT NOT NULL, scheme TEXT NOT NULL, part TEXT NOT NULL, run TEXT NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (root, scheme, part)
) WITHOUT ROWID;
"""


class Standing:
    """The project's database; a context manager that closes its connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise DamagedFile(
                f"database version {version}; this zhiling reads version {SCHEMA_VERSION}",
                place=str(self._path),
                hint="use the zhiling that wrote it, or move the file away",
            )
        with self._connection:
            self._connection.executescript(_TABLES)
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def test_ids(self) -> pl.Series:
        """Root ids that ever stood in a test part, under any scheme."""
        query = "SELECT DISTINCT root FROM split_assignments WHERE part = 'test'"
        with self._explained():
            found = self._connection.execute(query).fetchall()
        return pl.Series("id", [row[0] for row in found], dtype=pl.String)

    def former(self, scheme: str) -> pl.DataFrame:
        """`id` and `split` of root ids under one scheme, the newest assignment of each."""
        query = "SELECT root, part FROM split_assignments WHERE scheme = ? ORDER BY time"
        with self._explained():
            found = self._connection.execute(query, (scheme,)).fetchall()
        newest = dict(found)
        return pl.DataFrame(
            {"id": list(newest), "split": list(newest.values())}, schema={"id": pl.String, "split": pl.String}
        )

    def record(self, run: str, scheme: str, roots: pl.Series, parts: pl.Series) -> None:
        """Remembers the part of each row under all its root ids; the same again changes nothing.

        Args:
            run: the run's id.
            scheme: see `SplitSettings.scheme`.
            roots: list of root ids of each row.
            parts: train, dev or test of each row.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = pl.DataFrame({"root": roots, "part": parts}).explode("root").unique().sort("root", "part")
        with self._explained(), self._connection:
            self._connection.executemany(
                "INSERT OR IGNORE INTO split_assignments VALUES (?, ?, ?, ?, ?)",
                ((root, scheme, part, run, now) for root, part in lines.iter_rows()),
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StepFailed(
                f"the project's database cannot be used: {error}",
                place=str(self._path),
                hint="see that no other process holds it and that the folder can be written",
            ) from error
        except sqlite3.DatabaseError as error:
            raise DamagedFile(
                f"not a database: {error}", place=str(self._path), hint="move the file away, then run again"
            ) from error
