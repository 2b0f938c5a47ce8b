"""Small frames of rows for tests of steps."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from zhiling.pipeline.step import Context
from zhiling.rows.conversation import dialogue, nest
from zhiling.rows.schema import ROW, conform, content_hashes

CONTEXT = Context(step_id="x")
Turn = tuple[str, str | None]


def pairs(*texts: tuple[str | None, str | None], ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of a question and a reply (null: no such turn), with ids r0, r1, …"""
    messages = dialogue(
        {
            "user": pl.Series([question for question, _ in texts], dtype=pl.String),
            "assistant": pl.Series([reply for _, reply in texts], dtype=pl.String),
        }
    )
    return rows(messages, ids)


def turns(*conversations: Sequence[Turn], ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of any turns (role, text)."""
    flat = [turn for conversation in conversations for turn in conversation]
    frame = pl.DataFrame(
        {"role": [role for role, _ in flat], "text": [text for _, text in flat]},
        schema={"role": pl.String, "text": pl.String},
    )
    return rows(nest(frame, [len(conversation) for conversation in conversations]), ids)


def rows(messages: pl.Series, ids: Sequence[str] | None = None) -> pl.DataFrame:
    """The record around these messages, with `group` (null) beside it."""
    names = ids or [f"r{number}" for number in range(len(messages))]
    frame = conform(pl.DataFrame({"id": pl.Series(names, dtype=pl.String), "messages": messages}))
    return frame.with_columns(
        content_hashes(frame).alias("content"), pl.lit(None, dtype=pl.String).alias("group")
    )


def empty() -> pl.DataFrame:
    """The record without a row."""
    return pl.DataFrame(schema={**ROW, "group": pl.String()})


def reasons(answer: pl.DataFrame) -> list[str | None]:
    """The reasons, in order; a row that is kept must have none."""
    assert all(
        (row == "keep") == (reason is None) for row, reason in answer.select("verdict", "reason").rows()
    )
    return answer["reason"].to_list()
