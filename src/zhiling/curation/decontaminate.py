"""Decontaminate: no row that quotes an evaluation file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.pipeline.fingerprint import matching
from zhiling.pipeline.step import Context, Decide, verdicts
from zhiling.rows.conversation import flatten, user_text
from zhiling.rows.evaluation_file import read_texts
from zhiling.text.ngrams import CHARACTERS, WORDS, NgramIndex
from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts


class Reason(StrEnum):
    """Why a row is not kept."""

    CONTAMINATED = "contaminated"


class Decontaminate(Decide):
    """Rejects rows that quote an evaluation text: a run of words or characters, or a short text as a whole.

    Texts are compared in normal form (width, case, punctuation and spaces do not matter), turn by turn. A
    text of at least `words` words (`characters` Chinese characters) is found wherever a run of that length
    stands; a shorter one only where a whole turn equals it, and one of fewer than `shortest` tokens only
    where it is all that was said: so a short or general question does not wipe out a corpus. Each match is
    confirmed on the text, not by hash alone.
    """

    name: ClassVar[str] = "decontaminate"
    cost: ClassVar[str] = "about 20 µs a short row; some 100 bytes of memory per evaluation token"
    limits: ClassVar[str] = (
        "Finds copies, also inside longer text; not edits inside every run, and no paraphrase."
    )
    source: ClassVar[str] = "Brown et al. 2020, appendix C (13-grams)"
    Reason: ClassVar[type[StrEnum]] = Reason

    against: tuple[str, ...] = Field(
        min_length=1, description="Evaluation files (globs): JSONL or CSV, also .gz."
    )
    fields: tuple[str, ...] = Field(
        ("text", "question", "instruction", "prompt"),
        min_length=1,
        description="The text is the first of these fields that a record has, else its user messages.",
    )
    on: Literal["user", "all"] = Field(
        "user", description="Which turns are compared: the user's, or all but the system's."
    )
    words: int = Field(WORDS, ge=3, le=64, description="Length of a quoted run, in words.")
    characters: int = Field(
        CHARACTERS,
        ge=5,
        le=128,
        description="The same for Chinese and other scripts without spaces, in characters.",
    )
    shortest: int = Field(
        4, ge=1, le=64, description="Texts of fewer tokens count only as all that was said."
    )
    share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Reject where more than this share of a turn's runs stands in one evaluation text.",
    )

    def files(self) -> tuple[str, ...]:
        """The evaluation files: their contents shape the result."""
        return self.against

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Reason `contaminated`; score = highest share of a turn's runs that match; related = `file#line`."""
        evaluation = self._evaluation(context.root)
        turns = self._turns(rows)
        hits = evaluation.index.hits(turns["text"])
        brief = (turns["tokens"] < self.shortest) & ~turns["only"]
        found = turns.select(
            "row", place=pl.Series(hits.match), share=pl.Series(hits.share), brief=brief
        ).filter((pl.col("place") >= 0) & ~pl.col("brief"))
        best = found.sort("share", "place", descending=[True, False]).unique(
            "row", keep="first", maintain_order=True
        )
        every = pl.DataFrame({"row": np.arange(rows.height, dtype=np.uint32)})
        answer = every.join(best, on="row", how="left", maintain_order="left")
        score = answer["share"].fill_null(0.0)
        return verdicts(
            score > self.share,
            Reason.CONTAMINATED,
            score=score,
            related=evaluation.places.gather(answer["place"].cast(pl.UInt32)),
        )

    def _turns(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`row`, `text` (normal form), `tokens` of what is compared; `only`: nothing else was said."""
        role = pl.col("role") == "user" if self.on == "user" else pl.col("role") != "system"
        turns = flatten(rows["messages"]).filter(role).select("row", pl.col("text").fill_null(""))
        turns = turns.with_columns(only=pl.len().over("row") == 1)
        # What the user said in all is a text as well: the gate `contaminated` compares just that.
        whole = pl.DataFrame(
            {"row": np.arange(rows.height, dtype=np.uint32), "text": user_text(rows["messages"])}
        )
        turns = pl.concat([turns, whole.with_columns(only=pl.lit(value=True))])
        text = normalise(turns["text"])
        return turns.with_columns(text=text, tokens=token_counts(text))

    def _evaluation(self, root: Path) -> Evaluation:
        files = matching(self.against, root, what="step 'decontaminate'")
        facts = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
        return _build(facts, str(root), self.fields, self.words, self.characters)


@dataclass(frozen=True)
class Evaluation:
    """Evaluation texts: the place of each, and their index."""

    places: pl.Series
    index: NgramIndex


@lru_cache(maxsize=4)  # the step is called once per batch; size and time tell a changed file
def _build(
    files: tuple[tuple[str, int, int], ...], root: str, fields: tuple[str, ...], words: int, characters: int
) -> Evaluation:
    items: list[tuple[str, str]] = []
    for name, _, _ in files:
        path = Path(name)
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        items += [(f"{shown}#{line}", text) for line, text in read_texts(path, fields)]
    text = normalise(pl.Series([item[1] for item in items], dtype=pl.String))
    places = pl.Series([item[0] for item in items], dtype=pl.String)
    return Evaluation(places, NgramIndex.build(text, words, characters))
