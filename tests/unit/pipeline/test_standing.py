"""The standing index: what it remembers, and what it says where it cannot."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from zhiling.errors import DamagedFile, RunBusy, StepFailed
from zhiling.pipeline.database import explain
from zhiling.pipeline.standing import Standing


def rows(*lines: list[str]) -> pl.DataFrame:
    """Rows whose first root is their own id."""
    return pl.DataFrame(
        {"id": [line[0] for line in lines], "roots": [list(line) for line in lines]},
        schema={"id": pl.String, "roots": pl.List(pl.String)},
    )


def stored(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT id, split, run, time FROM split_assignments ORDER BY id").fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zhiling.sqlite"


def test_reading_makes_no_file(path: Path) -> None:
    with Standing(path) as standing:
        assert standing.test_ids().to_list() == []
        assert standing.former("s").schema == {"id": pl.String, "split": pl.String}
    assert not path.exists()


def test_roots_of_test_rows_are_remembered(path: Path) -> None:
    with Standing(path) as standing:
        standing.record(
            "run-1", rows(["a", "p"], ["b", "q"], ["c"]), pl.Series(["test", "train", "dev"]), "s"
        )
    with Standing(path) as standing:
        assert standing.test_ids().to_list() == ["a", "p"]
        assert standing.former("s").rows() == [
            ("a", "test"),
            ("b", "train"),
            ("c", "dev"),
            ("p", "test"),
            ("q", "train"),
        ]
        assert standing.former("other").height == 0


def test_the_own_id_counts_without_roots(path: Path) -> None:
    frame = pl.DataFrame(
        {"id": ["a"], "roots": [None]}, schema={"id": pl.String, "roots": pl.List(pl.String)}
    )
    with Standing(path) as standing:
        standing.record("run-1", frame, pl.Series(["test"]))
        assert standing.test_ids().to_list() == ["a"]


def test_twice_is_as_good_as_once(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"], ["b"]), pl.Series(["test", "train"]))
        before = stored(path)
        standing.record("run-2", rows(["a"], ["b"]), pl.Series(["test", "train"]))
    assert stored(path) == before


def test_once_test_always_test(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"], ["b"]), pl.Series(["test", "train"]))
        standing.record("run-2", rows(["a"], ["b"]), pl.Series(["train", "test"]))
        assert standing.test_ids().to_list() == ["a", "b"]
        standing.record("run-3", rows(["a"]), pl.Series(["train"]), "another scheme")
        assert standing.test_ids().to_list() == ["a", "b"]


def test_a_reader_sees_the_last_whole_state_while_another_writes(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO split_assignments VALUES ('b', '', 'test', 'run-2', 'now')")
        with Standing(path, wait_s=0) as standing:
            assert standing.test_ids().to_list() == ["a"]
        writer.execute("ROLLBACK")


def test_a_second_writer_is_told_to_wait(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with Standing(path, wait_s=0) as standing, pytest.raises(RunBusy, match="another process"):
            standing.record("run-2", rows(["b"]), pl.Series(["test"]))
        writer.execute("ROLLBACK")
    with Standing(path) as standing:
        assert standing.test_ids().to_list() == ["a"]


def test_a_failed_record_leaves_nothing(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))
        with pytest.raises(sqlite3.IntegrityError):
            standing.record("run-2", rows(["b"], ["c"]), pl.Series(["test", None]))
        assert standing.test_ids().to_list() == ["a"]


def test_another_use_of_the_file_is_no_harm(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE responses (key TEXT)")
    with Standing(path) as standing:
        assert standing.test_ids().to_list() == []
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))
        assert standing.test_ids().to_list() == ["a"]


def test_no_database(path: Path) -> None:
    path.write_bytes(b"this is not a database, but it is long enough to look at" * 20)
    with Standing(path) as standing, pytest.raises(DamagedFile, match="not a readable database"):
        standing.test_ids()


def test_a_newer_version_is_refused(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE schema_versions SET version = 99")
        with pytest.raises(DamagedFile, match="version 99"):
            standing.test_ids()
        with pytest.raises(DamagedFile, match="version 99"):
            standing.record("run-2", rows(["b"]), pl.Series(["test"]))


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    with (
        Standing(tmp_path / "missing" / "zhiling.sqlite") as standing,
        pytest.raises(StepFailed, match=r"zhiling\.sqlite"),
    ):
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))


def test_a_read_only_database_is_explained(path: Path) -> None:
    with Standing(path) as standing:
        standing.record("run-1", rows(["a"]), pl.Series(["test"]))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("DELETE FROM split_assignments")
        told = explain(caught.value, path)
    assert isinstance(told, StepFailed)
    assert str(path) in str(told)


def test_an_error_of_ours_stays_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("SELECT FROM")
    assert explain(caught.value, path) is None
