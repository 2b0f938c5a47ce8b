"""Alpaca as JSON Lines: `instruction, input, output, system, history` (earlier turns as pairs)."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import orjson
import polars as pl

from zhiling.rows.formats.exchange import Exchange
from zhiling.rows.formats.format import Format


class Alpaca(Format):
    """One line a row; the user's last turn is the instruction, `input` stays empty.

    Attributes:
        with_id: each line begins with the row's `id`.
    """

    name: ClassVar[str] = "alpaca"

    with_id: bool = False

    def encode(self, rows: pl.DataFrame, losses: Counter[str]) -> bytes:
        """The lines of these rows; see `Format.encode`."""
        exchange = Exchange.of(rows)
        exchange.count_losses(losses)
        exchange.count_fields(losses, "reasoning", "tool_calls", "name", "weight")
        losses.update({"tools": count} if (count := exchange.rows["tools"].count()) else {})
        turns = (
            exchange.flat.select("row", "role", pl.col("text").fill_null(""))
            .group_by("row", maintain_order=True)
            .agg("role", "text")
        )
        spoken = {row: (roles, texts) for row, roles, texts in turns.iter_rows()}
        lines: list[bytes] = []
        for row, name in enumerate(exchange.rows["id"].to_list()):
            head = {"id": name} if self.with_id else {}
            record = _record(*spoken.get(row, ([], [])), losses)
            lines.append(orjson.dumps(head | record, option=orjson.OPT_APPEND_NEWLINE))
        return b"".join(lines)


def _record(roles: list[str], texts: list[str], losses: Counter[str]) -> dict[str, Any]:
    """One line: the leading system text, pairs of earlier turns, the last question and its reply."""
    start = 0
    while start < len(roles) and roles[start] == "system":
        start += 1
    pairs = _pairs(roles[start:], texts[start:], losses)
    instruction, output = pairs.pop() if pairs else ("", None)
    if output is None:
        losses["no_reply"] += 1
    if start > 1:
        losses["system_boundaries"] += 1
    return {
        "instruction": instruction,
        "input": "",
        "output": output or "",
        "system": "\n".join(texts[:start]),
        "history": [[asked, replied or ""] for asked, replied in pairs],
    }


def _pairs(roles: list[str], texts: list[str], losses: Counter[str]) -> list[tuple[str, str | None]]:
    """Question and reply, again and again; neighbours of one role are joined by a line break."""
    pairs: list[tuple[str, str | None]] = []
    lost: set[str] = set()
    for role, text in zip(roles, texts, strict=True):
        if role == "system":
            lost.add("system_in_middle")
        elif role not in ("user", "assistant"):
            lost.add(f"role_{role}")
        elif role == "user" and (not pairs or pairs[-1][1] is not None):
            pairs.append((text, None))
        elif role == "assistant" and not pairs:
            lost.add("leading_reply")  # it reads back as an answer to an empty question
            pairs.append(("", text))
        elif role == "assistant" and pairs[-1][1] is None:
            pairs[-1] = (pairs[-1][0], text)
        else:
            lost.add("turn_boundaries")
            asked, replied = pairs[-1]
            pairs[-1] = (f"{asked}\n{text}", None) if replied is None else (asked, f"{replied}\n{text}")
    losses.update(lost)
    return pairs
