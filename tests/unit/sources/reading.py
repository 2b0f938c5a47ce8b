"""Reads a source in a test: all rows of all batches, all bad items, and messages as short pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.pipeline.step import Bad, Source
from zhiling.sources.record_source import SOURCE_ROW


def read(source: Source, files: Sequence[Path], root: Path) -> tuple[pl.DataFrame, list[Bad]]:
    """All rows and bad items; every batch has exactly the columns of a source."""
    batches = list(source.read(files, root))
    for batch in batches:
        assert batch.rows.schema == pl.Schema(SOURCE_ROW)
    rows = [batch.rows for batch in batches] or [pl.DataFrame(schema=SOURCE_ROW)]
    return pl.concat(rows), [bad for batch in batches for bad in batch.bad]


def said(rows: pl.DataFrame) -> list[list[tuple[str, str]]]:
    """Role and text of each message of each row."""
    return [
        [(message["role"], message["text"]) for message in messages]
        for messages in rows["messages"].to_list()
    ]


def told(bad: Sequence[Bad]) -> list[tuple[str, str]]:
    """Place and class of each bad item."""
    return [(each.place, each.cls) for each in bad]


def write_jsonl(path: Path, items: Sequence[Any]) -> Path:
    """A JSON Lines file; strings are written as they stand."""
    lines = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
