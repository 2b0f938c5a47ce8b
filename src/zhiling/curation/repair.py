"""Mends text that encodings damaged."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from zhiling.curation.damage import mended, suspicious
from zhiling.curation.turns import REWRITES, holding, rewrite_rows
from zhiling.pipeline.step import Context, Made, Make


class Repair(Make):
    """Resolves HTML entities, decodes mojibake and removes control characters, in all texts of a row.

    Entities: `&nbsp; &#39; &amp;quot;`, also torn ones whose & became a space (`Oil #39;s`); those in code,
    web addresses, HTML and texts about entities stay. Mojibake: UTF-8 read as Windows-1252, Latin-1, Mac or
    another single-byte encoding, also twice (ftfy); UTF-8 read as GBK; GBK read as Latin-1.

    Messages, alternatives, tool calls, the strings of `target` and `extra` are rewritten; spans and tokens
    move along, and a row whose span ends inside a mended piece is the failure `span_cut`. Rows without
    damage are not rewritten and keep their id. `encoding_damage` behind it rejects what could not be mended.
    """

    name: ClassVar[str] = "repair"
    material: ClassVar[bool] = True
    effect = "replaces"
    cost: ClassVar[str] = "cheap: about 5 microseconds a row, 100 for a damaged one; needs `curation`"
    limits: ClassVar[str] = (
        "What was lost (U+FFFD, 锟斤拷, question marks) stays lost. One or two damaged Chinese characters "
        "by themselves are left, because they may be meant. HTML tags are not removed. A text that speaks of "
        "HTML or of escaping keeps its entities, damaged ones too."
    )
    source: ClassVar[str] = "ftfy 6 (fix_encoding); HTML Living Standard, named character references"

    def reads(self) -> tuple[str, ...]:
        """Everything that can hold text."""
        return REWRITES

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """The damaged rows, mended."""
        suspects = rows.filter(holding(rows, suspicious()))
        return rewrite_rows(suspects, [mended] * suspects.height) if suspects.height else Made(pl.DataFrame())
