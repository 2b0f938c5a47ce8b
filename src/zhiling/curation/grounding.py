"""Grounding: does its document bear the reply out."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.support import PARTS, support
from zhiling.pipeline.step import Context, Measure
from zhiling.rows.conversation import flatten, reply_text, user_text

WEIGHTS = (3.66, -2.12, 9.82, 1.53, 5.13)
BIAS = -14.6
"""Logistic regression on half of the rows of `benchmarks/curation/grounding.py`: answers and summaries
of English and Chinese sets, against those of other documents and those with a number changed."""
_SOURCES = {"document": ("document", "tool"), "prompt": ("document", "tool", "user", "system")}


class Grounding(Measure):
    """Writes how probable it is that the document bears the reply out, and what that rests on.

    `score` is the probability, 0 to 1; `status` is `supported`, `unsupported`, or `unsure` where neither
    is as probable as `confidence`. The parts are shares from 0 to 1: `ngrams` of one to three tokens found in
    the document, the longest `run` of tokens found, `numbers` and `names` that stand in document or question,
    and content `words`. A part is 1 where the reply has nothing of its kind.
    """

    name: ClassVar[str] = "grounding"
    about = ("qa", "summarisation", "dialogue")
    cost: ClassVar[str] = "1 ms per row with a document of 1,000 characters; no encoder"
    limits: ClassVar[str] = (
        "Works on words: a paraphrase without shared words looks unsupported, a negation or an exchange of "
        "two names of the document looks supported. Only numbers in digits or in Chinese are compared."
    )
    source: ClassVar[str] = "Grusky et al. 2018 (extractive coverage and density); Chow 1970 (abstention)"

    against: Literal["document", "prompt"] = Field(
        "document",
        description="Documents and tool results only, or all that the user and system said as well.",
    )
    confidence: float = Field(
        0.8, ge=0.5, lt=1, description="Least probability of a verdict; below it the status is `unsure`."
    )

    def writes(self) -> dict[str, pl.DataType]:
        """Probability, verdict or abstention, and the parts."""
        return {"score": pl.Float64(), "status": pl.String(), **dict.fromkeys(PARTS, pl.Float64())}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply that says something, and something to hold it against."""
        documents = self._documents(rows["messages"])
        replies = reply_text(rows["messages"])
        return (documents.str.strip_chars() != "") & (replies.str.strip_chars() != "")

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`score`, `status` and the parts of each row."""
        texts = (self._documents(rows["messages"]), user_text(rows["messages"]), reply_text(rows["messages"]))
        parts = np.array([support(*each) for each in zip(*(text.to_list() for text in texts), strict=True)])
        parts = parts.reshape(rows.height, len(PARTS))
        score = 1 / (1 + np.exp(-(parts @ np.array(WEIGHTS) + BIAS)))
        status = (
            pl.when(pl.col("score") >= self.confidence)
            .then(pl.lit("supported"))
            .when(pl.col("score") <= 1 - self.confidence)
            .then(pl.lit("unsupported"))
            .otherwise(pl.lit("unsure"))
        )
        columns = dict(zip(PARTS, parts.T, strict=True))
        return pl.DataFrame({"score": score, **columns}).with_columns(status=status).select(*self.writes())

    def _documents(self, messages: pl.Series) -> pl.Series:
        """What the reply is held against: the text of the messages of these roles before it."""
        lines = flatten(messages)
        last = pl.col("turn").filter(pl.col("role") == "assistant").max().over("row")
        chosen = lines.filter(pl.col("role").is_in(_SOURCES[self.against]) & (pl.col("turn") < last))
        joined = chosen.group_by("row", maintain_order=True).agg(pl.col("text").fill_null("").str.join("\n"))
        index = pl.DataFrame({"row": pl.Series(np.arange(len(messages)), dtype=pl.UInt32)})
        return index.join(joined, on="row", how="left", maintain_order="left")["text"].fill_null("")
