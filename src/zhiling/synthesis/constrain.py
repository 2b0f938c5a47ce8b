"""Constrain: instruction rows with demands that their replies already meet, checked by code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows import target
from zhiling.rows.conversation import flatten
from zhiling.rows.templates import Turn
from zhiling.synthesis.made_rows import MadeRow, frame
from zhiling.synthesis.passage_rows import language_of
from zhiling.synthesis.reply_constraints import KINDS, Kind, measured

_CHOICE, _COUNT, _KIND = 0, 1, 2  # draws


class Constrain(Make):
    """Writes instruction rows as rows of task `controlled`: the same prompt and reply, with demands on it.

    The demands are measured from the reply, which meets each of them by the checks of `verification`: bounds
    on words (字), sentences, paragraphs, bullet points; words that stand there, do not, or so often; how it
    begins and ends; JSON, a title, one case, no commas; its language. They are the row's target; `template`
    spells them out in the prompt, in English and Chinese, and the step `constraints` checks them.
    """

    name = "constrain"
    about = ("controlled",)
    cost: ClassVar[str] = "cheap: 2 to 5 ms a row"
    limits: ClassVar[str] = (
        "Takes rows of one question and one reply, without a target. Demands follow from replies, so no "
        "reply is changed by one: rows that show how a demand changes a reply need a teacher. Chinese is not "
        "parted into words: the words asked for are pieces that prompt and reply share. Code and tables are "
        "measured as text."
    )
    source: ClassVar[str] = "Zhou et al. 2023 (the idea of verifiable instructions)"

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1, description="which demands are made")
    most: int = Field(default=3, ge=1, le=8, description="demands of a row at most, one of a kind")
    per_input: int = Field(default=1, ge=1, le=20, description="rows made of each, with other demands")

    def reads(self) -> tuple[str, ...]:
        """Conversations without a target."""
        return ("messages", "target", "task", "language")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """One question and one reply in words, perhaps behind a system message, without a target."""
        lines = flatten(rows["messages"])
        plain = (pl.col("media").list.len().fill_null(0) == 0) & pl.col("tool_calls").is_null()
        shape = lines.group_by("row", maintain_order=True).agg(
            (pl.col("role").str.join(" ").is_in(["user assistant", "system user assistant"])).alias("shape"),
            (plain & pl.col("name").is_null() & (pl.col("text").fill_null("").str.strip_chars() != ""))
            .all()
            .alias("plain"),
        )
        fitting = shape.filter(pl.col("shape") & pl.col("plain"))["row"].implode()
        return (
            rows.with_row_index("row")
            .select(pl.col("row").is_in(fitting) & pl.col("target").is_null())
            .to_series()
        )

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """At most `per_input` rows each; none where the reply meets no demand of these kinds."""
        made: list[MadeRow] = []
        for id, language, messages in rows.select("id", "language", "messages").iter_rows():
            turns = [Turn(each["role"], each["text"] or "", None) for each in messages]
            made += self._constrained(id, turns, language, context)
        return Made(frame(made))

    def _constrained(
        self, id: str, turns: Sequence[Turn], tag: str | None, context: Context
    ) -> list[MadeRow]:
        prompt, reply = turns[-2].text, turns[-1].text
        language = language_of(reply, None)
        if tag is not None and language_of(reply, tag) != language:
            return []  # a reply in another language than its row says: no words of either fit
        made: dict[str, MadeRow] = {}
        for sample in range(self.per_input):
            keys = pl.Series([f"{id}\0{sample}\0{kind}" for kind in self.kinds], dtype=pl.String)
            drawn = context.uniform(keys, _KIND).tolist()
            once = pl.Series([f"{id}\0{sample}"], dtype=pl.String)
            choice, count = (float(context.uniform(once, draw)[0]) for draw in (_CHOICE, _COUNT))
            order = sorted(range(len(drawn)), key=drawn.__getitem__)
            kinds: list[Kind] = [self.kinds[place] for place in order]
            found = measured(prompt, reply, language, kinds, choice, 1 + int(count * self.most))
            if found:
                truth = target.Constraints(constraints=found)
                row = MadeRow("controlled", turns, truth, [id], sample)
                made.setdefault(target.spelled(truth), row)
        return list(made.values())
