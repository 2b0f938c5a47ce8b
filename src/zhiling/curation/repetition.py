"""Rejects rows whose text repeats itself."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.parts import Part, part_text
from zhiling.curation.prose import without_code
from zhiling.curation.repeated_grams import Shares, by_character, repeated_share, top_share
from zhiling.pipeline.step import Bound, Context, Decide
from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts

_WORDS, _CHARACTERS = False, True
# 13 English words are about 20 Chinese characters of the same meaning, so a window of characters is half as
# long again as one of words.
_TOP_SIZES = {_WORDS: (2, 3, 4), _CHARACTERS: (3, 5, 6)}
_WINDOW = {_WORDS: 5, _CHARACTERS: 8}


_TRIED = tuple(n / 100 for n in range(95, 5, -5))
"""Shares that a calibration tries, one by one: the score is the largest of three."""


class Repetition(Decide):
    """Rejects rows whose reply says the same again and again: lines, one phrase, or passages.

    Three shares are measured, 0 to 1. `lines`: characters in lines that stood there before, of all in lines.
    `phrase`: tokens that the most frequent phrase takes (the largest of 2, 3 and 4 words, or 3, 5 and 6
    characters; 0 if it stands there less than four times). `passages`: tokens inside a window of 5 words or
    8 characters that stood there before. A token is a word, or a character in scripts without spaces: a text
    of mostly Chinese is measured in characters. Case, width and punctuation do not matter; fenced code is
    left out.

    Reasons: `repeated_lines`, `repeated_phrase`, `repeated_passages`; the first whose share is above its
    limit. Score: the largest share as a multiple of its limit, so above 1 is rejected.
    """

    name: ClassVar[str] = "repetition"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "cheap: 10 to 40 microseconds a row, by length"
    limits: ClassVar[str] = (
        "A refrain, a litany or a drill is repetition too: raise the limits for lyrics. Code without a fence "
        "and tables repeat much. What is said twice in other words is not seen. "
        "No public truth exists: false alarms are measured, and recall on planted loops."
    )
    source: ClassVar[str] = (
        "Rae et al. (2021), Scaling language models, table A1 (lines .2, phrase .2, windows of 5 .15). "
        "Deviation: shares of tokens, not of characters; one window size; limits of replies, which are "
        "shorter than web pages; repeated paragraphs are repeated lines"
    )

    bounds: ClassVar[tuple[Bound, ...]] = tuple(
        Bound(name, acts="above", values=_TRIED, reason=f"repeated_{name}")
        for name in ("lines", "phrase", "passages")
    )

    on: Part = Field(default="reply", description="which text is measured")
    lines: float = Field(default=0.3, gt=0, le=1, description="largest share of characters in repeated lines")
    phrase: float = Field(
        default=0.5, gt=0, le=1, description="largest share of tokens in the most frequent phrase"
    )
    passages: float = Field(
        default=0.4, gt=0, le=1, description="largest share of tokens in passages that stood there before"
    )
    shortest: int = Field(default=20, ge=1, description="texts of fewer tokens are let pass: all shares 0")

    class Reason(StrEnum):
        """Why a row is rejected."""

        REPEATED_LINES = "repeated_lines"
        REPEATED_PHRASE = "repeated_phrase"
        REPEATED_PASSAGES = "repeated_passages"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows that have the text."""
        return part_text(rows["messages"], self.on) != ""

    def writes(self) -> dict[str, pl.DataType]:
        """The three shares, in [0, 1]."""
        return {"lines": pl.Float64(), "phrase": pl.Float64(), "passages": pl.Float64()}

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by share."""
        text = without_code(part_text(rows["messages"], self.on))
        shares = {name: np.zeros(rows.height) for name in self.writes()}
        long = np.flatnonzero(token_counts(text).to_numpy() >= self.shortest)
        for name, values in _shares(text.gather(long)).items():
            shares[name][long] = values
        above = {f"repeated_{name}": values > getattr(self, name) for name, values in shares.items()}
        relative = np.max([values / getattr(self, name) for name, values in shares.items()], axis=0)
        return by_reason(
            {self.Reason(name): mask for name, mask in above.items()}, score=relative
        ).with_columns(**shares)


def _shares(text: pl.Series) -> dict[str, Shares]:
    plain = normalise(text)
    characters = by_character(plain)
    phrase, passages = np.zeros(len(text)), np.zeros(len(text))
    for kind in (_WORDS, _CHARACTERS):
        rows = np.flatnonzero(characters == kind)
        some = plain.gather(rows)
        phrase[rows] = top_share(some, _TOP_SIZES[kind])
        passages[rows] = repeated_share(some, _WINDOW[kind])
    return {"lines": _repeated_lines(text), "phrase": phrase, "passages": passages}


def _repeated_lines(text: pl.Series) -> Shares:
    """Share of each text's characters (white space at line ends apart) in lines that stood there before."""
    several = text.str.contains("\n", literal=True).arg_true()
    lines = (
        pl.DataFrame({"row": several, "line": text.gather(several).str.split("\n")})
        .explode("line")
        .with_columns(pl.col("line").str.strip_chars())
    )
    size = pl.col("line").str.len_chars()
    again = ~pl.struct("row", "line").is_first_distinct()
    found = lines.group_by("row").agg(share=size.filter(again).sum() / size.sum().clip(1))
    shares = np.zeros(len(text))
    shares[found["row"].to_numpy()] = found["share"].to_numpy()
    return shares
