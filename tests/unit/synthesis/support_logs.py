"""Support logs as a source gives them: rows with places, groups and fields of the log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.rows.schema import ROW, conform
from zhiling.sources.conversations import Conversations


def log_rows(folder: Path, *conversations: dict[str, Any], **settings: Any) -> pl.DataFrame:
    """The rows that the source `conversations` makes of these lines, with `id` r0, r1, …"""
    file = folder / "log.jsonl"
    file.write_text(
        "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in conversations), encoding="utf-8"
    )
    source = Conversations.model_validate({"path": "log.jsonl", **settings})
    batches = list(source.read([file], folder))
    assert not [bad for batch in batches for bad in batch.bad]
    return as_rows(pl.concat([batch.rows for batch in batches]))


def chat(*texts: str, **fields: Any) -> dict[str, Any]:
    """A conversation in turns, the customer first."""
    turns = [f"{('customer', 'agent')[n % 2]}: {text}" for n, text in enumerate(texts)]
    return {"turns": turns, **fields}


def as_rows(read: pl.DataFrame) -> pl.DataFrame:
    """A source's rows as records."""
    origin = read.select(
        pl.struct(
            pl.lit("logs").alias("source"),
            "locator",
            pl.lit("CC0-1.0").alias("licence"),
            "group",
            pl.lit(None, dtype=pl.List(pl.String)).alias("parents"),
            pl.lit(None, dtype=pl.String).alias("maker"),
            pl.lit(["logs"]).alias("via"),
        ).alias("origin")
    )["origin"]
    rows = conform(read.select(name for name in read.columns if name in ROW).with_columns(origin))
    return rows.with_columns(pl.Series("id", [f"r{n}" for n in range(rows.height)], dtype=pl.String))


def texts(messages: Sequence[dict[str, Any]]) -> list[str]:
    """What is said."""
    return [message["text"] for message in messages]
