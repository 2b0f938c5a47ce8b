"""The part of a row's text that a step looks at: the value of every setting named `on`."""

from __future__ import annotations

from typing import Literal

import polars as pl

from zhiling.rows.conversation import all_text, question_text, reply_text, user_text

Part = Literal["all", "user", "question", "reply"]
"""All messages but the system's · what the user said · the user's last turn · the assistant's last turn."""

_READ = {"all": all_text, "user": user_text, "question": question_text, "reply": reply_text}


def part_text(messages: pl.Series, part: Part) -> pl.Series:
    """The text of one part of each row, same height; empty where the row has no such part, never null."""
    return _READ[part](messages)


def is_blank(lines: pl.DataFrame) -> pl.Series:
    """Which messages of a flat frame say nothing at all: no text, no media and no tool call."""
    return lines.select(
        (pl.col("text").fill_null("").str.strip_chars() == "")
        & (pl.col("media").list.len().fill_null(0) == 0)
        & (pl.col("tool_calls").fill_null("") == "")
    ).to_series()
