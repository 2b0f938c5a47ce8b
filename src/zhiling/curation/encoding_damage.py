"""Rejects rows whose text was damaged by an encoding."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import numpy as np
import polars as pl

from zhiling.curation.by_reason import by_reason
from zhiling.curation.damage import problems, suspicious
from zhiling.curation.mojibake import lost_characters
from zhiling.pipeline.step import Context, Decide
from zhiling.rows.conversation import flatten


class EncodingDamage(Decide):
    """Rejects rows with lost characters, mojibake, HTML entities or control characters in a message.

    Behind `repair` only what cannot be mended is found; without it, all of it. The system's messages count
    too.

    Reasons, the first that holds: `lost_characters` (U+FFFD, 锟斤拷, 烫烫烫烫), `mojibake` (UTF-8 or GBK read
    as another encoding), `html_entities` (whole or torn, outside code, HTML and texts about entities),
    `control_characters`. Score: how many hold.
    """

    name: ClassVar[str] = "encoding_damage"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "cheap: about 5 microseconds a row, 50 for a suspicious one; needs `curation`"
    limits: ClassVar[str] = (
        "Characters that became question marks are not seen. One or two damaged Chinese characters by "
        "themselves, and mojibake of scripts other than Latin, Greek, Cyrillic and Chinese, pass. A text "
        "about 锟斤拷 or U+FFFD that shows them is found."
    )
    source: ClassVar[str] = "ftfy 6 (badness of mojibake)"

    class Reason(StrEnum):
        """Why a row is rejected."""

        LOST_CHARACTERS = "lost_characters"
        MOJIBAKE = "mojibake"
        HTML_ENTITIES = "html_entities"
        CONTROL_CHARACTERS = "control_characters"

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by damage."""
        lines = flatten(rows["messages"]).select("row", pl.col("text").fill_null(""))
        masks = {reason: np.zeros(rows.height, dtype=np.bool_) for reason in self.Reason}
        lost = lines.filter(pl.col("text").str.contains(lost_characters()))
        masks[self.Reason.LOST_CHARACTERS][lost["row"].to_numpy()] = True
        suspects = lines.filter(pl.col("text").str.contains(suspicious()))
        for row, text in suspects.iter_rows():
            for kind in problems(text):
                masks[self.Reason(kind)][row] = True
        return by_reason(masks)
