"""What outlives a run: which ids once stood in which part of a split, for all runs of a project.

The file is `zhiling.sqlite` in the project's root (write-ahead log, so readers never wait for a writer).
A row counts by its root ids, so a rewrite of a test row is known as one too. What once stood in a test part
stays a test row for good; other parts follow the newest run of the same scheme.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

import polars as pl

from zhiling.pipeline.database import Database

_TABLE = """
CREATE TABLE IF NOT EXISTS split_assignments (
    id TEXT NOT NULL, scheme TEXT NOT NULL, split TEXT NOT NULL, run TEXT NOT NULL, time TEXT NOT NULL,
    PRIMARY KEY (id, scheme)
) WITHOUT ROWID
"""
_TEST_IDS = "SELECT DISTINCT id FROM split_assignments WHERE split = 'test' ORDER BY id"
_FORMER = "SELECT id, split FROM split_assignments WHERE scheme = ? ORDER BY id"
_RECORD = (
    "INSERT INTO split_assignments (id, scheme, split, run, time) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id, scheme) DO UPDATE SET split = excluded.split, run = excluded.run, time = excluded.time"
    " WHERE split_assignments.split NOT IN ('test', excluded.split)"
)

_SCHEMA = {"id": pl.String(), "split": pl.String()}


class Standing(Database):
    """The split assignments of a project; a context manager that closes its connection.

    Args:
        path: the database; it is created by the first `record`, and reading a missing one gives nothing.
        wait_s: how long to wait for another process that writes.
    """

    group: ClassVar[str] = "split_assignments"
    version: ClassVar[int] = 1
    what: ClassVar[str] = "split assignments"
    tables: ClassVar[dict[str, str]] = {"split_assignments": _TABLE}

    def test_ids(self) -> pl.Series:
        """All ids that ever stood in a test part of this project, sorted.

        Raises:
            RunBusy: another process holds the database.
            DamagedFile: it is no database, or one of a newer zhiling.
            StepFailed: it cannot be opened.
        """
        return pl.Series("id", [line[0] for line in self._read(_TEST_IDS)], dtype=pl.String)

    def former(self, scheme: str) -> pl.DataFrame:
        """`id`, `split` of each id's newest run under a scheme (see `SplitSettings.scheme`), sorted by id.

        Raises:
            RunBusy, DamagedFile, StepFailed: as `test_ids`.
        """
        return pl.DataFrame(self._read(_FORMER, (scheme,)), schema=_SCHEMA, orient="row")

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
        with self._writing() as connection:
            lines = ((each, scheme, part, run, time) for each, part in known.iter_rows())
            connection.executemany(_RECORD, lines)
