"""Tables: one record a row of instruction data, from JSON Lines or CSV."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl

from zhiling.pipeline.step import Batch
from zhiling.rows.conversation import dialogue
from zhiling.sources.columns import Columns, labels_target
from zhiling.sources.names import find
from zhiling.sources.record_source import TableSource
from zhiling.sources.records import Records

TableField = Literal["user", "assistant", "system", "label"]


class Tables(TableSource):
    """Instruction data in columns: what the user asks, what the assistant replies.

    Without `fields`, the usual names are found: `instruction` (joined with `input`) and `output`,
    `prompt` and `response`, `question` and `answer`, or `text` alone. A record without a reply becomes
    material of task `utterance`. What has no place in the record goes to `extra`.

    Attributes:
        fields: ours → theirs, for `user`, `assistant`, `system`, `label`; several columns are joined by
            line breaks.
        key: the column with the record's own key; `id` where there is one.
        group: the column of what must never be split (a document, a customer).
        task: of the rows that have a reply.
    """

    name: ClassVar[str] = "tables"

    fields: dict[TableField, str | tuple[str, ...]] = {}
    key: str | None = None
    group: str | None = None
    task: str = "instruction"

    def batch(self, records: Records) -> Batch:
        """The rows of these records."""
        columns = Columns(records)
        chosen = {
            role: self._chosen(role, columns.names) for role in ("system", "user", "assistant", "label")
        }
        texts = {
            role: _joined(columns, chosen[role], required=role == "user")
            for role in ("system", "user", "assistant")
        }
        system = texts["system"]
        texts["system"] = system.replace([""], [None]) if len(system) else system
        language, used = columns.language(self.language)
        key = self.key or find("record", "key", columns.names)
        labels = columns.labels(chosen["label"][0] if chosen["label"] else None)
        used |= {field for fields in chosen.values() for field in fields}
        task = pl.select(
            pl.when(texts["assistant"].is_null()).then(pl.lit("utterance")).otherwise(pl.lit(self.task))
        ).to_series()
        return columns.batch(
            {
                "messages": dialogue(texts),
                "task": task,
                "target": labels_target(labels),
                "language": language,
                "extra": columns.extra(used | ({self.group} if self.group else set())),
                "key": columns.key(key),
                "group": columns.key(self.group),
            }
        )

    def _chosen(self, role: TableField, present: list[str]) -> tuple[str, ...]:
        named = self.fields.get(role)
        if named is not None:
            return (named,) if isinstance(named, str) else tuple(named)
        if role == "label" or (role != "user" and self.fields):
            return ()
        found = find("tables", role, present)
        if role == "user" and found and found.casefold() in ("instruction", "指令"):
            context = find("tables", "context", present)
            return (found, context) if context else (found,)
        if found is None and role == "user":
            return ("instruction",)
        return (found,) if found else ()


def _joined(columns: Columns, fields: tuple[str, ...], *, required: bool) -> pl.Series:
    """The first field, and the others where they hold something, joined by line breaks."""
    if not fields:
        return columns.nulls("text")
    first = columns.text(fields[0], required=required)
    for field in fields[1:]:
        other = columns.text(field)
        first = pl.DataFrame({"first": first, "other": other}).select(
            pl.when(pl.col("other").fill_null("") == "")
            .then("first")
            .otherwise(pl.concat_str("first", "other", separator="\n", ignore_nulls=True))
        )["first"]
    return first
