"""CSV for people and spreadsheets: the last question, its reply and the label of each row, with its place."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import polars as pl

from zhiling.rows.conversation import question_text, reply_text
from zhiling.rows.formats.exchange import Exchange
from zhiling.rows.formats.format import Format

COLUMNS = ("id", "text", "reply", "label", "language", "source", "locator")


class Csv(Format):
    """One record a row in UTF-8, quoted by RFC 4180: `id, text, reply, label, language, source, locator`."""

    name: ClassVar[str] = "csv"
    suffix: ClassVar[str] = ".csv"

    def header(self) -> bytes:
        """The names of the columns."""
        return (",".join(COLUMNS) + "\n").encode()

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The records of these rows; see `Format.encode`."""
        exchange = Exchange.of(rows)
        exchange.count_losses(losses, labels_kept=True)
        exchange.count_fields(losses, "reasoning", "tool_calls", "name", "weight")
        _count_turns(exchange, losses)
        record = exchange.rows
        frame = record.select(
            "id",
            question_text(record["messages"]).alias("text"),
            reply_text(record["messages"]).alias("reply"),
            exchange.labels.alias("label"),
            "language",
            pl.col("origin").struct.field("source"),
            pl.col("origin").struct.field("locator"),
        )
        return frame.select(COLUMNS).write_csv(include_header=False).encode()


def _count_turns(exchange: Exchange, losses: Counter[str]) -> None:
    per_row = exchange.flat.group_by("row").agg(
        (pl.col("role") == "system").any().alias("system"),
        (pl.col("role").is_in(["user", "assistant"]).sum() > 2).alias("earlier_turns"),
        (~pl.col("role").is_in(["system", "user", "assistant"])).any().alias("other_roles"),
    )
    tools = exchange.rows["tools"].count()
    for name, count in [*((name, per_row[name].sum()) for name in per_row.columns[1:]), ("tools", tools)]:
        if count:
            losses[name] += int(count)
