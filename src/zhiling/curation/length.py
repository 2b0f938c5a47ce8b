"""Rejects rows whose question or reply is empty, too short or too long."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from zhiling.curation.parts import is_blank
from zhiling.pipeline.step import Context, Decide, verdicts
from zhiling.rows.conversation import flatten
from zhiling.text.tokens import token_counts


class Length(Decide):
    """Rejects rows by the length of the question (the user's last turn) and of the reply (the assistant's).

    Lengths are script-aware tokens: words of English, characters of Chinese; a text of punctuation only
    counts 1. A row without a reply (a labelled text, say) is judged by its question alone, and the other
    way round.

    Reasons: `empty` (nothing said at all, or the question or reply holds no text, media or tool call),
    `too_short`, `too_long`; the first that holds. Score: the length of all messages but the system's.
    """

    name = "length"
    cost: ClassVar[str] = "cheap: about 5 microseconds a row"
    limits: ClassVar[str] = (
        "Counts, does not read: a short answer can be the right one. "
        "Earlier turns are only bounded by `max_tokens`."
    )

    min_question: int = Field(default=1, ge=0, description="fewest tokens of the question")
    max_question: int | None = Field(
        default=4096, ge=1, description="most tokens of the question; null: no limit"
    )
    min_reply: int = Field(default=1, ge=0, description="fewest tokens of the reply")
    max_reply: int | None = Field(default=8192, ge=1, description="most tokens of the reply; null: no limit")
    max_tokens: int | None = Field(default=None, ge=1, description="most tokens of the whole; null: no limit")

    class Reason(StrEnum):
        """Why a row is rejected."""

        EMPTY = "empty"
        TOO_SHORT = "too_short"
        TOO_LONG = "too_long"

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Length:
        for part in ("question", "reply"):
            least, most = getattr(self, f"min_{part}"), getattr(self, f"max_{part}")
            if most is not None and least > most:
                raise ValueError(f"min_{part} {least!r} is above max_{part} {most!r}; no row can pass")
        return self

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by length."""
        lines = flatten(rows["messages"]).filter(pl.col("role") != "system")
        lines = lines.select(
            "row",
            "role",
            tokens=_at_least_one(token_counts(lines["text"]), lines["text"]),
            blank=is_blank(lines),
        )
        owner = lines["row"].to_numpy()
        whole = np.bincount(owner, weights=lines["tokens"].to_numpy(), minlength=rows.height)
        blank = np.ones(rows.height, dtype=np.bool_)
        blank[owner[~lines["blank"].to_numpy()]] = False
        short = np.zeros(rows.height, dtype=np.bool_)
        long = np.zeros(rows.height, dtype=np.bool_) if self.max_tokens is None else whole > self.max_tokens
        for role, least, most in (
            ("user", self.min_question, self.max_question),
            ("assistant", self.min_reply, self.max_reply),
        ):
            row, tokens, empty = _last(lines, role)
            blank[row] |= empty
            short[row] |= tokens < least
            if most is not None:
                long[row] |= tokens > most
        reason = pl.select(
            pl.when(pl.Series(blank))
            .then(pl.lit(str(self.Reason.EMPTY)))
            .when(pl.Series(short))
            .then(pl.lit(str(self.Reason.TOO_SHORT)))
            .when(pl.Series(long))
            .then(pl.lit(str(self.Reason.TOO_LONG)))
            .otherwise(pl.lit(None, dtype=pl.String))
        ).to_series()
        return verdicts(blank | short | long, reason, score=whole.astype(np.float64))


def _at_least_one(tokens: pl.Series, text: pl.Series) -> pl.Series:
    """A text without a word ("+", "—") is still something said: 1."""
    said = text.fill_null("").str.contains(r"\S").cast(pl.UInt32)
    return (
        pl.DataFrame({"tokens": tokens, "said": said}).select(pl.max_horizontal("tokens", "said")).to_series()
    )


def _last(lines: pl.DataFrame, role: str) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.bool_]]:
    """Row, tokens and blankness of each row's last message of a role."""
    found = lines.filter(pl.col("role") == role)
    row = found["row"].to_numpy()
    final = np.append(row[1:] != row[:-1], True)[: len(row)]
    return row[final], found["tokens"].to_numpy()[final], found["blank"].to_numpy()[final]
