"""OpenAI chat messages as JSON Lines: `{"messages": [{"role", "content", …}], "tools"?}`.

Lines are put together by Polars; only a message with tool calls, a name or a weight goes through Python.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import orjson
import polars as pl

from zhiling.rows.formats.exchange import EXTRA_FIELDS, Exchange
from zhiling.rows.formats.format import Format


class Messages(Format):
    """One line a row, one object a message; fields without value are left out.

    Attributes:
        with_id: each line begins with the row's `id`.
    """

    name: ClassVar[str] = "messages"

    with_id: bool = False

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The lines of these rows; see `Format.encode`."""
        exchange = Exchange.of(rows)
        exchange.count_losses(losses)
        spoken = (
            exchange.flat.select("row", _encoded(exchange.flat))
            .group_by("row", maintain_order=True)
            .agg(pl.col("message").str.join(","))
        )
        index = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
        frame = exchange.rows.select(index, "id", _compact(exchange.rows["tools"])).join(
            spoken, on="row", how="left", maintain_order="left"
        )
        head = pl.lit('{"id":"') + pl.col("id") + pl.lit('",') if self.with_id else pl.lit("{")
        tools = (
            pl.when(pl.col("tools").is_null())
            .then(pl.lit(""))
            .otherwise(pl.lit(',"tools":') + pl.col("tools"))
        )
        line = pl.concat_str(
            head, pl.lit('"messages":['), pl.col("message").fill_null(""), pl.lit("]"), tools
        )
        lines = frame.select(pl.concat_str(line, pl.lit("}\n"))).to_series()
        return "".join(lines.to_list()).encode()


def _encoded(flat: pl.DataFrame) -> pl.Series:
    """Each message as a JSON object; the rare ones with further fields are written one by one."""
    plain = pl.struct(pl.col("role"), pl.col("text").alias("content")).struct.json_encode().alias("message")
    encoded = flat.select(plain).to_series()
    further = flat.select(pl.any_horizontal(pl.col(name).is_not_null() for name in EXTRA_FIELDS)).to_series()
    if not further.any():
        return encoded
    places = further.arg_true()
    return encoded.scatter(places, [_message(message) for message in flat[places].iter_rows(named=True)])


def _message(message: dict[str, Any]) -> str:
    parts: dict[str, Any] = {"role": message["role"], "content": message["text"]}
    for name in ("reasoning", "tool_call_id", "name", "weight"):
        if message[name] is not None:
            parts[name] = message[name]
    if message["tool_calls"] is not None:
        parts["tool_calls"] = orjson.loads(message["tool_calls"])
    return orjson.dumps(parts).decode()


def _compact(tools: pl.Series) -> pl.Series:
    """The tools without line breaks, so that a row stays one line."""
    spelled = {text: orjson.dumps(orjson.loads(text)).decode() for text in tools.drop_nulls().unique()}
    return pl.Series("tools", [None if text is None else spelled[text] for text in tools], dtype=pl.String)
