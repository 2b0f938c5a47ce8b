"""Rejects rows in which too much is written in a script that nobody expects."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.parts import Part, part_text
from zhiling.curation.prose import prose
from zhiling.pipeline.step import Bound, Context, Decide, verdicts
from zhiling.text.scripts import SCRIPTS, letter_counts

ScriptName = Literal[
    "han",
    "latin",
    "kana",
    "hangul",
    "cyrillic",
    "arabic",
    "greek",
    "hebrew",
    "devanagari",
    "thai",
    "other",
]


class Script(Decide):
    """Rejects rows with letters of unexpected scripts, and tells the mix of scripts of all others.

    Letters are counted by script; digits, punctuation, emoji, code and web addresses count nowhere. Columns:
    `main` (the script of most letters, null without a letter), `han` and `latin` (their shares of all
    letters), `mixed` (share of letters outside the main script).

    Reasons: `unexpected_script`: the share of letters in scripts that are not expected is above `at_most`,
    and there are at least `letters` of them. Score: that share.
    """

    name: ClassVar[str] = "script"
    material: ClassVar[bool] = True
    bounds: ClassVar[tuple[Bound, ...]] = (Bound("at_most", acts="above"),)
    cost: ClassVar[str] = "cheap: about 5 microseconds a row"
    limits: ClassVar[str] = (
        "Sees letters, not languages: French among English rows, or traditional among simplified Chinese, is "
        "no other script. Han letters of Japanese text count as Han. A lesson in another alphabet is found "
        "as well: list its script in `expected`. No public truth exists: only false alarms are measured."
    )
    source: ClassVar[str] = "Unicode Standard Annex 24 (script property)"

    on: Part = Field(default="all", description="which text is looked at")
    expected: tuple[ScriptName, ...] = Field(
        default=("han", "latin"), min_length=1, description="scripts that may stand in a row"
    )
    at_most: float = Field(
        default=0.1, ge=0, le=1, description="largest share of letters in other scripts that a kept row has"
    )
    letters: int = Field(
        default=5, ge=1, description="fewer letters in other scripts are let pass (a formula, a name)"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        UNEXPECTED_SCRIPT = "unexpected_script"

    def writes(self) -> dict[str, pl.DataType]:
        """The main script, and shares in [0, 1]."""
        return {"main": pl.String(), "han": pl.Float64(), "latin": pl.Float64(), "mixed": pl.Float64()}

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by share of letters."""
        counts = letter_counts(prose(part_text(rows["messages"], self.on)))
        total = np.maximum(counts.sum(axis=1), 1)
        shares = counts / total[:, None]
        others = [place for place, name in enumerate(SCRIPTS) if name not in self.expected]
        unexpected = shares[:, others].sum(axis=1)
        found = (unexpected > self.at_most) & (counts[:, others].sum(axis=1) >= self.letters)
        return verdicts(found, self.Reason.UNEXPECTED_SCRIPT, score=unexpected).with_columns(
            main=main_script(counts),
            han=shares[:, SCRIPTS.index("han")],
            latin=shares[:, SCRIPTS.index("latin")],
            mixed=np.where(counts.any(axis=1), 1 - shares.max(axis=1), 0.0),
        )


def main_script(counts: np.ndarray) -> pl.Series:
    """The script of most letters of each row (the first of equals), null without a letter."""
    place = np.where(counts.any(axis=1), counts.argmax(axis=1), len(SCRIPTS))
    return pl.Series([*SCRIPTS, None], dtype=pl.String).gather(place)
