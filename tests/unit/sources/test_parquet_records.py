"""Parquet: rows with their numbers, types that JSON has not, damaged files."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from tests.unit.sources.reading import read, said, told
from zhiling.sources.records.parquet_records import parquet_records
from zhiling.sources.tables import Tables


def items(path: Path) -> list[dict[str, Any]]:
    return [item for records in parquet_records(path, path.name) for item in records.items]


def test_rows_become_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame(
        {
            "instruction": ["Translate", "你好吗？", None],
            "input": ["灯\nlamp", None, "x"],
            "output": ["lamp", "好", "y"],
            "id": pl.Series([7, 8, 9], dtype=pl.UInt8),
            "score": [0.5, 1.0, None],
        }
    )
    frame.write_parquet(path)
    rows, bad = read(Tables(path="*"), [path], tmp_path)
    assert said(rows) == [
        [("user", "Translate\n灯\nlamp"), ("assistant", "lamp")],
        [("user", "你好吗？"), ("assistant", "好")],
    ]
    assert rows["locator"].to_list() == ["a.parquet:1", "a.parquet:2"]
    assert rows["key"].to_list() == ["7", "8"]
    assert [json.loads(extra) for extra in rows["extra"]] == [
        {"id": 7, "score": 0.5, "input_lines": 2},
        {"id": 8, "score": 1.0},
    ]
    assert told(bad) == [("a.parquet:3", "missing_field")]


def test_values_that_json_has_no_type_for(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    moment = dt.datetime(2026, 3, 1, 12, 30, tzinfo=dt.UTC)
    row = {
        "at": moment,
        "day": dt.date(2026, 3, 1),
        "took": dt.timedelta(seconds=90.5),
        "price": Decimal("1.10"),
        "image": {"bytes": b"\xff\x00", "path": "a.png"},
        "turns": [{"role": "user", "text": "退款"}],
        "none": None,
    }
    pl.DataFrame([row]).write_parquet(path)
    assert items(path) == [
        {
            "at": "2026-03-01T12:30:00+00:00",
            "day": "2026-03-01",
            "took": 90.5,
            "price": "1.10",
            "image": {"bytes": "/wA=", "path": "a.png"},
            "turns": [{"role": "user", "text": "退款"}],
            "none": None,
        }
    ]
    assert json.loads(json.dumps(items(path))) == items(path)


def test_nested_json_types_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{"turns": [{"role": "user", "n": 1}], "tags": ["a", None]}, {"turns": [], "tags": None}]
    pl.DataFrame(rows).write_parquet(path)
    assert items(path) == rows


def test_numbers_that_json_cannot_hold_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = [1.5, float("nan"), None, float("-inf")]
    pl.DataFrame({"text": ["a", "b", "c", "d"], "x": values}).write_parquet(path)
    rows, bad = read(Tables(path="*"), [path], tmp_path)
    assert rows["locator"].to_list() == ["a.parquet:1", "a.parquet:3"]
    assert told(bad) == [("a.parquet:2", "not_finite"), ("a.parquet:4", "not_finite")]
    pl.DataFrame({"text": ["a"], "x": [[float("inf")]]}).write_parquet(path)
    assert told(read(Tables(path="*"), [path], tmp_path)[1]) == [("a.parquet:1", "not_finite")]


def test_a_damaged_row_group_costs_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {number * number}" for number in range(3000)]
    pl.DataFrame({"text": texts}).write_parquet(path, row_group_size=1000, compression="zstd")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle - 200 : middle + 200] = bytes(400)
    path.write_bytes(content)
    rows, bad = read(Tables(path="*"), [path], tmp_path)
    assert [turns[0][1] for turns in said(rows)] == texts[:1000] + texts[2000:]
    assert told(bad) == [("a.parquet:1001", "broken_parquet")]
    assert "rows 1001 to 2000" in bad[0].message


def test_files_that_are_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": ["a"] * 100}).write_parquet(path)
    whole = path.read_bytes()
    for content in (whole[:-10], b"text\na\n", whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert told(read(Tables(path="*"), [path], tmp_path)[1]) == [("a.parquet", "broken_parquet")]
    for empty in (pl.DataFrame({"text": []}), None):
        if empty is None:
            path.write_bytes(b"")
        else:
            empty.write_parquet(path)
        assert told(read(Tables(path="*"), [path], tmp_path)[1]) == [("a.parquet:1", "empty_file")]
    assert told(read(Tables(path="*"), [tmp_path / "none.parquet"], tmp_path)[1]) == [
        ("none.parquet", "unreadable_file")
    ]
