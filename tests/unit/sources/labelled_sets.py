"""Reads records as a labelled set in a test, and shows rows shortly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tests.unit.sources.reading import read, write_jsonl
from zhiling.pipeline.step import Bad
from zhiling.sources.labelled import Labelled


def read_items(root: Path, items: Sequence[Any], **settings: Any) -> tuple[pl.DataFrame, list[Bad]]:
    """Rows and bad items of these records, written to a.jsonl."""
    return read(Labelled(path="*", **settings), [write_jsonl(root / "a.jsonl", items)], root)


def targets(rows: pl.DataFrame) -> list[Any]:
    """The target of each row as a value."""
    return [None if target is None else json.loads(target) for target in rows["target"]]


def named(rows: pl.DataFrame) -> list[list[tuple[str, str | None, str]]]:
    """Role, name and text of each message of each row."""
    return [[(m["role"], m["name"], m["text"]) for m in messages] for messages in rows["messages"].to_list()]
