"""Complexity: how much an instruction asks for at once, counted by rules in English and Chinese."""

from __future__ import annotations

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.curation.parts import part_text
from zhiling.curation.phrases import phrases
from zhiling.pipeline.step import Context, Measure
from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts

_FILE = "complexity_marks.toml"
_COLUMNS = {
    "requirements": "requirement",
    "clauses": "clause",
    "subordinations": "subordination",
    "quantities": "quantity",
}
"""Column → kind of mark in the file."""


class Complexity(Measure):
    """Writes how many marks of complexity an instruction has, in English and Chinese, without any model.

    `score` is the sum of four counts, each a column: `requirements` that the answer has to meet (must, at
    least, without, 必须, 不超过, …), `clauses` (where a sentence or a part of it ends or goes on),
    `subordinations` (conditions, reasons, clauses in clauses, brackets) and `quantities` (numbers). `tokens`
    is its length in script-aware tokens, which the score does not use: a long instruction has more of
    everything, so compare rows of like length, or divide.

    The four count equally: weights fitted to one set of the benchmark were worse on another.
    """

    name: ClassVar[str] = "complexity"
    quality: ClassVar[Literal["", "question", "reply"]] = "question"
    cost: ClassVar[str] = "about 20 µs per row"
    limits: ClassVar[str] = (
        "Counts how much is asked, not how hard it is: a question of one line about quantum fields is simple "
        "here, a pasted passage is complex. School and college questions of one subject are hardly told "
        "apart. For difficulty as a model sees it use `ifd`, or `perplexity` with `on: question`."
    )
    source: ClassVar[str] = (
        "The idea of constraints that add up: Xu et al. 2023 (Evol-Instruct), Jiang et al. 2023 "
        "(FollowBench); the lists are this project's own"
    )

    on: Literal["question", "user"] = Field(
        "question", description="The user's last turn, or all that the user said."
    )

    def writes(self) -> dict[str, pl.DataType]:
        """The sum, its parts, and the length."""
        return {"score": pl.Float64(), **dict.fromkeys((*_COLUMNS, "tokens"), pl.Int64())}

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows in which something is asked."""
        return part_text(rows["messages"], self.on).str.strip_chars() != ""

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The sum, its parts, and the length."""
        text, marks = part_text(rows["messages"], self.on), phrases(_FILE)
        counts = pl.DataFrame(
            {name: text.str.count_matches(marks[kind]).cast(pl.Int64) for name, kind in _COLUMNS.items()}
        )
        return counts.with_columns(
            score=pl.sum_horizontal(*_COLUMNS).cast(pl.Float64),
            tokens=token_counts(normalise(text)).cast(pl.Int64),
        ).select(*self.writes())
