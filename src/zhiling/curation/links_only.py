"""Rejects rows whose question or reply says nothing in words."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.prose import LINK
from zhiling.pipeline.step import Context, Decide
from zhiling.rows.conversation import flatten

_ROLE = {"question": "user", "reply": "assistant"}
_MARKDOWN_LINK = r"!?\[[^\[\]]*\]\(\s*(?:https?|ftp)://[^\s()]*(?:\([^\s()]*\))?[^\s()]*\s*\)"


class LinksOnly(Decide):
    """Rejects rows whose last question or reply is nothing but links, or nothing but signs and emoji.

    A message with an image, another medium or a tool call is let pass, and so is an empty one (that is
    `length`'s). The text of a Markdown link belongs to the link. Beside links digits count for nothing (they
    number a list); without a link a number is an answer.

    Reasons: `links_only` (a link, and no letter outside links), `no_words` (neither letter nor digit: "👍",
    "???", "……"). Score: how many of the two hold.
    """

    name: ClassVar[str] = "links_only"
    cost: ClassVar[str] = "cheap: about 3 microseconds a row"
    limits: ClassVar[str] = (
        "An emoji or a sign can be the right answer (which emoji, which operator): leave `reply` out of `on` "
        "for such tasks. One word beside ten links is enough to be kept. Addresses without a scheme or www. "
        "are words. No public truth exists: only false alarms are measured."
    )

    on: tuple[Literal["question", "reply"], ...] = Field(
        default=("question", "reply"), min_length=1, description="what is looked at: question, reply or both"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        LINKS_ONLY = "links_only"
        NO_WORDS = "no_words"

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by what is left without links."""
        said = self._said(rows["messages"])
        text = pl.col("text")
        bare = text.str.replace_all(_MARKDOWN_LINK, " ").str.replace_all(LINK, " ")
        linked = text.str.contains(LINK)
        said = said.with_columns(
            links=linked & ~bare.str.contains(r"\p{L}"), silent=~linked & ~text.str.contains(r"[\p{L}\p{N}]")
        )
        masks: dict[StrEnum, NDArray[np.bool_]] = {}
        for reason, column in ((self.Reason.LINKS_ONLY, "links"), (self.Reason.NO_WORDS, "silent")):
            masks[reason] = np.zeros(rows.height, dtype=np.bool_)
            masks[reason][said["row"].filter(said[column]).to_numpy()] = True
        return by_reason(masks)

    def _said(self, messages: pl.Series) -> pl.DataFrame:
        """`row` and `text` of the last message of each role looked at, where text is all that it holds."""
        lines = flatten(messages).filter(pl.col("role").is_in([_ROLE[part] for part in self.on]))
        last = lines.filter(pl.col("turn") == pl.col("turn").max().over("row", "role"))
        only_text = (pl.col("media").list.len().fill_null(0) == 0) & (
            pl.col("tool_calls").fill_null("") == ""
        )
        return last.filter(only_text & pl.col("text").str.contains(r"\S")).select("row", "text")
