"""What the formats share: the messages to be written, labels as a reply, and what gets lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

import orjson
import polars as pl

from zhiling.rows.conversation import flatten, has_reply
from zhiling.rows.schema import ROW, conform

EXTRA_FIELDS = ("reasoning", "media", "tool_calls", "tool_call_id", "name", "weight")
LABEL_SEPARATOR = ", "


@dataclass(frozen=True)
class Exchange:
    """The messages of a frame of rows, ready to be written.

    Attributes:
        rows: the record's columns, all of them.
        flat: one line a message: `row` (index into `rows`), `turn`, and the message's fields. Where a row
            has no reply but labels, they stand as the assistant's message.
        labels: the labels of each row, joined by `, `; null where it has none.
    """

    rows: pl.DataFrame
    flat: pl.DataFrame
    labels: pl.Series

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Exchange:
        """The exchange of these rows."""
        record = conform(rows.select(name for name in rows.columns if name in ROW))
        labels = joined_labels(record["target"])
        spoken = record.select(
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
            pl.lit("assistant").alias("role"),
            labels.alias("text"),
        ).filter(~has_reply(record["messages"]) & labels.is_not_null())
        flat = flatten(record["messages"])
        if spoken.height:
            flat = pl.concat([flat, spoken], how="diagonal").sort("row", maintain_order=True)
        return cls(record, flat, labels)

    def count_losses(
        self, losses: Counter[str], *, labels_kept: bool = False, holds: Collection[str] = ()
    ) -> None:
        """Counts what not every format holds: alternatives, media, targets.

        Args:
            losses: grows.
            labels_kept: the format has a place for labels even beside a reply.
            holds: `media`, `alternatives`, `target`: what the format has a place for, or counts itself.
        """
        if "media" not in holds:
            media = self.flat.filter(pl.col("media").list.len().fill_null(0) > 0)
            _add(losses, "media", media["row"].n_unique())
        if "alternatives" not in holds:
            alternatives = self.rows["alternatives"].list.len().fill_null(0) > 0
            _add(losses, "alternatives", int(alternatives.sum()))
        if "target" in holds:
            return
        kept = self.labels.is_not_null()
        if not labels_kept:
            kept &= ~has_reply(self.rows["messages"])
        _add(losses, "target", int((self.rows["target"].is_not_null() & ~kept).sum()))

    def count_fields(self, losses: Counter[str], *fields: str) -> None:
        """Counts the rows that have one of these message fields, under the field's name."""
        for field in fields:
            _add(losses, field, self.flat.filter(pl.col(field).is_not_null())["row"].n_unique())


def joined_labels(targets: pl.Series) -> pl.Series:
    """`labels` of each target joined by `, `; null where there are none. Equal targets are read once."""
    distinct = targets.drop_nulls().unique().to_list()
    read = {target: _labels(target) for target in distinct}
    return pl.Series(
        "label", [None if target is None else read[target] for target in targets], dtype=pl.String
    )


def _labels(target: str) -> str | None:
    parsed = cast(dict[str, Any], orjson.loads(target))
    labels = cast(list[str] | None, parsed.get("labels"))
    return LABEL_SEPARATOR.join(labels) if labels else None


def _add(losses: Counter[str], name: str, count: int) -> None:
    if count:
        losses[name] += count
