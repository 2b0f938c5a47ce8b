"""OpenAI chat messages as JSON Lines: `{"messages": [{"role", "content", …}], "tools"?}`.

Lines of plain messages are put together by Polars; only rows with media, calls, names, weights and the like
go through Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

import orjson
import polars as pl

from zhiling.rows.formats.draft import INPUT_LINES, MARKERS, Draft, drafts_of
from zhiling.rows.formats.exchange import EXTRA_FIELDS, Exchange
from zhiling.rows.formats.json_lines import info_entry, understood
from zhiling.rows.formats.spoken import UNLISTED, Spoken, turns_in
from zhiling.rows.formats.turns import read_turns

TAGS = {
    "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
    "observation_tag": "tool", "system_tag": "system",
}  # fmt: skip
"""How LLaMA-Factory is told OpenAI's names."""


_INPUT_LINES = rf',?"{INPUT_LINES}":\d+\}}$'
"""How that marker ends `extra`: sources put it last."""


class Messages(Spoken):
    """One line a row, one object a message; fields without value are left out."""

    name: ClassVar[str] = "messages"
    OWN = frozenset({"messages"})

    def claim(self, fields: Mapping[str, type]) -> int:
        """It is one with a list of messages."""
        return understood(fields, self.own_fields()) if fields.get("messages") is list else 0

    def read(self, record: Mapping[str, Any]) -> Draft:
        """The row of a record."""
        return Draft(read_turns(record.get("messages"), "messages"))

    def notation(self, record: Mapping[str, Any]) -> Self:
        """How the record spells contents and reasoning."""
        return self.notation_of(turns_in(record, "messages"), record)

    def records(self, draft: Draft, lost: set[str]) -> list[dict[str, Any]]:
        """The record of one row; see `JsonLines.records`."""
        return [{"messages": self.spoken(draft.messages, lost)}]

    def dataset_info(self, file_name: str, fields: Collection[str] = ()) -> dict[str, Any] | None:
        """An entry of formatting `sharegpt` with OpenAI's names, where messages hold texts only.

        LLaMA-Factory's own reader of tool calls in messages rewrites system prompts, so rows with calls need
        format `sharegpt`.
        """
        if self.content in ("parts", "values") or not UNLISTED.isdisjoint(fields):
            return None
        listed = {name: name for name in sorted(fields)}
        return info_entry(
            file_name, {"messages": "messages"} | listed, formatting="sharegpt", tags=dict(TAGS)
        )

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The lines of these rows; see `Format.encode`."""
        exchange = Exchange.of(rows)
        exchange.count_losses(losses, holds=self.holds())
        plain = self._plain(exchange)
        if not plain.any():
            drafts = drafts_of(exchange.rows, exchange.flat)
            return self.lines(exchange.rows["id"].to_list(), drafts, losses)
        lines = self._lines(exchange)
        marked = exchange.rows["extra"].str.contains(f'"{INPUT_LINES}"').fill_null(False) & plain
        losses.update({"input_border": int(marked.sum())} if marked.any() else {})
        further = (~plain).arg_true()
        if len(further):
            chosen = exchange.flat.filter(pl.col("row").is_in(further.implode()))
            places = pl.Series(further.search_sorted(chosen["row"]), dtype=pl.UInt32)
            part = exchange.rows[further]
            drafts = drafts_of(part, chosen.with_columns(row=places))
            written = self.lines(part["id"].to_list(), drafts, losses).decode()
            lines = lines.scatter(further, [f"{line}\n" for line in written.split("\n")[:-1]])
        return "".join(lines.to_list()).encode()

    def _plain(self, exchange: Exchange) -> pl.Series:
        """Rows whose messages are role and text only, and whose extra can be taken over as it stands."""
        height = exchange.rows.height
        if self.content in ("parts", "values"):
            return pl.Series([False]).new_from_index(0, height) if height else pl.Series([], dtype=pl.Boolean)
        rich = exchange.flat.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in EXTRA_FIELDS))
        extra = exchange.rows["extra"].str.replace(_INPUT_LINES, "}")
        awkward = extra.str.contains(
            _names({*MARKERS, *self.own_fields(), *({"id"} if self.with_id else ())})
        ) | extra.str.contains("\n")
        open_extra = extra.is_not_null() if isinstance(self.extra, tuple) else awkward.fill_null(False)
        if self.extra is False:
            open_extra = pl.Series([False]).new_from_index(0, height)
        mask = pl.Series(range(height), dtype=pl.UInt32).is_in(rich["row"].unique().implode())
        return ~(mask | open_extra)

    def _lines(self, exchange: Exchange) -> pl.Series:
        """The lines of rows that are plain; those of other rows are replaced."""
        spoken = (
            exchange.flat.select(
                "row",
                pl.struct("role", pl.col("text").alias("content")).struct.json_encode().alias("message"),
            )
            .group_by("row", maintain_order=True)
            .agg(pl.col("message").str.join(","))
        )
        index = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
        frame = exchange.rows.select(index, "id", "extra", _compact(exchange.rows["tools"])).join(
            spoken, on="row", how="left", maintain_order="left"
        )
        head = pl.lit('{"id":"') + pl.col("id") + pl.lit('",') if self.with_id else pl.lit("{")
        tools = pl.lit(',"tools":') + pl.col("tools")
        inner = pl.col("extra").str.replace(_INPUT_LINES, "}").str.strip_chars().str.slice(1)
        filled = inner.str.len_bytes() > 1 if self.extra is True else pl.lit(False)
        end = pl.when(filled).then(pl.lit(",") + inner).otherwise(pl.lit("}"))
        line = [
            head,
            pl.lit('"messages":['),
            pl.col("message").fill_null(""),
            pl.lit("]"),
            tools.fill_null(""),
        ]
        return frame.select(pl.concat_str(*line, end.fill_null("}"), pl.lit("\n"))).to_series()


def _names(fields: set[str]) -> str:
    """A pattern that finds one of these names in a JSON object, or in objects inside it."""
    return f'"(?:{"|".join(sorted(fields))})"'


def _compact(tools: pl.Series) -> pl.Series:
    """The tools without line breaks, so that a row stays one line."""
    spelled = {text: orjson.dumps(orjson.loads(text)).decode() for text in tools.drop_nulls().unique()}
    return pl.Series("tools", [None if text is None else spelled[text] for text in tools], dtype=pl.String)
