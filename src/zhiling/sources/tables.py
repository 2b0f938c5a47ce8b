"""Tables: one record a row of instruction data, from JSON, CSV, TSV or Parquet."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from zhiling.pipeline.step import Batch
from zhiling.rows.conversation import dialogue
from zhiling.sources.names import find
from zhiling.sources.record_source import TableSource
from zhiling.sources.records.columns import Columns, labels_target
from zhiling.sources.records.records import Records

INPUT_LINES = "input_lines"
TableField = Literal["user", "assistant", "system", "label"]


class Tables(TableSource):
    """Instruction data in columns: what the user asks, what the assistant replies.

    Without `fields`, the usual names are found: `instruction` (joined with `input`) and `output`,
    `prompt` and `response`, `question` and `answer`, or `text` alone. A record without a reply becomes
    material of task `utterance`. What has no place in the record goes to `extra`; where a user's text was
    joined from two columns, so does the number of lines of the second, `input_lines`.

    Attributes:
        fields: ours → theirs, for `user`, `assistant`, `system`, `label`; several columns are joined by
            line breaks, and so is a list of lines in a column that is named here.
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
        lines = bool(self.fields)
        user, input_lines = _joined(columns, chosen["user"], required=True, lines=lines)
        texts = {
            "system": _joined(columns, chosen["system"], lines=lines)[0].replace([""], [None]),
            "user": user,
            "assistant": _joined(columns, chosen["assistant"], lines=lines)[0],
        }
        language, used = columns.language(self.language)
        key = self.key or find("record", "key", columns.names)
        label = chosen["label"][0] if chosen["label"] else None
        used |= {field for fields in chosen.values() for field in fields}
        used |= {self.group} if self.group else set()
        answered = texts["assistant"].is_not_null()
        task = pl.select(pl.when(answered).then(pl.lit(self.task)).otherwise(pl.lit("utterance")))
        return columns.batch(
            {
                "messages": dialogue(texts),
                "task": task.to_series(),
                "target": labels_target(columns.labels(label)) if label else columns.nulls("target"),
                "language": language,
                "extra": columns.extra(used, {} if input_lines is None else {INPUT_LINES: input_lines}),
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


def _joined(
    columns: Columns, fields: tuple[str, ...], *, required: bool = False, lines: bool = False
) -> tuple[pl.Series, pl.Series | None]:
    """The first field, and the others where they hold something, joined by line breaks.

    Of two fields, also how many lines the second one has, null where it holds nothing.
    """
    if not fields:
        return columns.nulls("text"), None
    joined, count = columns.text(fields[0], required=required, lines=lines), None
    for field in fields[1:]:
        joined, count = _appended(joined, columns.text(field, lines=lines))
    return joined, count if len(fields) == 2 else None


def _appended(texts: pl.Series, others: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Texts with the others on further lines, and how many lines these are; only such rows are copied."""
    held = (others.is_not_null() & (others != "")).arg_true()
    some = others.gather(held)
    both = pl.DataFrame([texts.gather(held).alias("text"), some.alias("other")]).select(
        text=pl.concat_str("text", "other", separator="\n", ignore_nulls=True)
    )["text"]
    order = np.arange(len(texts))
    order[held.to_numpy()] = len(texts) + np.arange(len(held))
    joined = pl.concat([texts.alias("text"), both], rechunk=True).gather(order)
    lines = pl.Series("lines", [None], dtype=pl.UInt32).new_from_index(0, len(texts))
    return joined, lines.scatter(held, some.str.count_matches("\n", literal=True) + 1)
