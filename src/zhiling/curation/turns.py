"""The messages of some rows as one flat frame, to be rewritten row by row and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.rewriting import Rewriter, Rewritten, SpanCut, rewrite_json, rewrite_target
from zhiling.pipeline.step import Failure, Made
from zhiling.rows.conversation import flatten, nest
from zhiling.rows.schema import ALTERNATIVE

TEXTS = ("text", "reasoning", "tool_calls")
"""Fields of a message that people or models wrote."""


@dataclass(frozen=True)
class RowTexts:
    """The rewritten `text` of each message of a row, and whether anything in the row changed."""

    texts: Sequence[Rewritten]
    changed: bool


@dataclass
class Turns:
    """Messages in flat form; `owner` says to which row each line belongs (ascending)."""

    lines: pl.DataFrame
    lengths: NDArray[np.int64]
    owner: NDArray[np.int64]
    _columns: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of_messages(cls, messages: pl.Series) -> Turns:
        """Lines of the rows' own messages."""
        return cls._of(messages, np.arange(len(messages)))

    @classmethod
    def of_alternatives(cls, alternatives: pl.Series) -> Turns:
        """Lines of the messages of all alternatives, in order."""
        counts = alternatives.list.len().fill_null(0).to_numpy()
        nested = alternatives.explode(empty_as_null=False, keep_nulls=False).struct.field("messages")
        return cls._of(nested, np.repeat(np.arange(len(alternatives)), counts))

    @classmethod
    def _of(cls, messages: pl.Series, owner: NDArray[np.int64]) -> Turns:
        lines = flatten(messages)
        return cls(lines, messages.list.len().fill_null(0).to_numpy(), owner[lines["row"].to_numpy()])

    def matching(self, pattern: str) -> pl.Series:
        """Which lines hold a match (a Polars expression) in one of their texts."""
        used = [name for name in TEXTS if self.lines[name].null_count() < self.lines.height]
        if not used:
            return pl.Series([False] * self.lines.height, dtype=pl.Boolean)
        hits = pl.any_horizontal(pl.col(used).str.contains(pattern).fill_null(False))
        return self.lines.select(hits).to_series()

    def line_text(self, line: int) -> str:
        """All that stands in a line."""
        return "\n".join(text for text in self.lines.select(TEXTS).row(line) if text)

    def rewrite(self, row: int, rewriter: Rewriter) -> RowTexts:
        """Rewrites a row's lines in place."""
        columns = self._lists()
        low, high = np.searchsorted(self.owner, [row, row + 1])
        texts: list[Rewritten] = []
        changed = False
        for line in range(int(low), int(high)):
            new = rewriter(columns["text"][line] or "")
            texts.append(new)
            if new.edits:
                changed = True
                columns["text"][line] = new.text
                columns["media"][line] = _moved(columns["media"][line], new)
            for name, write in (("reasoning", _plain), ("tool_calls", rewrite_json)):
                old = columns[name][line]
                if old:
                    columns[name][line] = write(old, rewriter)
                    changed |= columns[name][line] != old
        return RowTexts(texts, changed)

    def series(self) -> pl.Series:
        """The messages, rewritten as far as `rewrite` went; one list for each that came in."""
        new = [
            pl.Series(name, values, dtype=self.lines.schema[name]) for name, values in self._columns.items()
        ]
        return nest(self.lines.with_columns(new), self.lengths)

    def _lists(self) -> dict[str, list[Any]]:
        if not self._columns:
            self._columns = {name: self.lines[name].to_list() for name in (*TEXTS, "media")}
        return self._columns


REWRITES = ("messages", "alternatives", "target", "tools", "extra")
"""Columns that `rewrite_rows` needs, beside `id`; `tools` is handed on as it is."""


def holding(rows: pl.DataFrame, pattern: str) -> pl.Series:
    """Which rows hold a match (a Polars expression) in any text that `rewrite_rows` would rewrite."""
    elsewhere = pl.col("target", "extra").str.contains(pattern).fill_null(False)
    found = rows.select(pl.any_horizontal(elsewhere)).to_series().to_numpy().copy()
    for turns in (Turns.of_messages(rows["messages"]), Turns.of_alternatives(rows["alternatives"])):
        found[turns.owner[turns.matching(pattern).to_numpy()]] = True
    return pl.Series(found)


def rewrite_rows(rows: pl.DataFrame, rewriters: Sequence[Rewriter]) -> Made:
    """What a replacing step makes: the rows that their rewriter (one a row) changes.

    Rewritten are all texts of messages and alternatives, and the strings of `target` and `extra`. A row
    whose target has a span that is cut through is the failure `span_cut`.
    """
    own, answers = Turns.of_messages(rows["messages"]), Turns.of_alternatives(rows["alternatives"])
    targets, extras = rows["target"].to_list(), rows["extra"].to_list()
    failures, kept = list[Failure](), list[int]()
    for row, (rewriter, target, extra) in enumerate(zip(rewriters, targets, extras, strict=True)):
        texts, others = own.rewrite(row, rewriter), answers.rewrite(row, rewriter)
        try:
            targets[row] = target and rewrite_target(target, texts.texts, rewriter)
        except SpanCut as error:
            failures.append(Failure(rows["id"][row], "span_cut", str(error), place="target"))
            continue
        extras[row] = extra and rewrite_json(extra, rewriter)
        if texts.changed or others.changed or targets[row] != target or extras[row] != extra:
            kept.append(row)
    made = rows.select(
        own.series().alias("messages"),
        nest_alternatives(rows["alternatives"], answers.series()).alias("alternatives"),
        pl.Series("target", targets, dtype=pl.String),
        pl.Series("extra", extras, dtype=pl.String),
        "tools",
        pl.concat_list("id").alias("parents"),
    )
    return Made(made[kept], failures)


def nest_alternatives(alternatives: pl.Series, messages: pl.Series) -> pl.Series:
    """The alternatives with these messages in place of their own; null stays null."""
    counts = alternatives.list.len().fill_null(0)
    flat = alternatives.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
    flat = flat.with_columns(
        messages.alias("messages"), owner=np.repeat(np.arange(len(alternatives)), counts)
    )
    lists = flat.group_by("owner", maintain_order=True).agg(pl.struct(pl.exclude("owner")).alias("list"))
    rows = (
        pl.DataFrame({"old": alternatives})
        .with_row_index("owner")
        .with_columns(pl.col("owner").cast(pl.Int64))
    )
    new = rows.join(lists, on="owner", how="left", maintain_order="left")
    return new.select(pl.coalesce("list", "old").cast(pl.List(ALTERNATIVE))).to_series()


def _plain(text: str, rewriter: Rewriter) -> str:
    return rewriter(text).text


def _moved(media: list[dict[str, Any]] | None, text: Rewritten) -> list[dict[str, Any]] | None:
    """Media whose place in the text is told, at their new place."""
    if not media:
        return media
    return [item if item["at"] is None else {**item, "at": text.place(item["at"])} for item in media]
