"""Rejects or flags rows whose reply is a machine's stock phrase instead of an answer."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.phrases import phrases
from zhiling.curation.prose import prose
from zhiling.pipeline.step import Context, Decide, Verdict
from zhiling.rows.conversation import has_reply, reply_text, user_text

_FILE = "boilerplate_phrases.toml"
Class = Literal["refusal", "self_reference", "template_residue"]
CLASSES: tuple[Class, ...] = ("refusal", "self_reference", "template_residue")


class Boilerplate(Decide):
    """Rejects rows whose reply refuses, speaks of itself as a model, or holds an unfilled form.

    Known phrases in English and Chinese, outside code. Speaking of itself, and forms, are let pass where the
    user's own words are about AI, about whom they speak to, or ask for a template; a refusal never is.

    Reasons, the first that holds: `refusal` ("I'm sorry, but I cannot assist with that", 很抱歉，我无法…),
    `self_reference` ("as an AI language model", 作为一个人工智能…, a knowledge cut-off), `template_residue`
    ("[insert name]", {{customer}}, 【填写日期】, "<noinput>"). Score: how many of the classes are met.
    """

    name: ClassVar[str] = "boilerplate"
    version: ClassVar[int] = 2
    cost: ClassVar[str] = "cheap: about 5 microseconds a row"
    limits: ClassVar[str] = (
        "Knows wordings, not intent: a refusal in other words passes, and a letter that declines an "
        "invitation can be taken for one. Where refusals are wanted (safety training) leave the class out of "
        "`classes` or set `verdict: flag`. Other languages than English and Chinese are not searched. "
        "No public truth exists: only false alarms are measured."
    )

    classes: tuple[Class, ...] = Field(default=CLASSES, min_length=1, description="what is looked for")
    verdict: Literal["reject", "flag", "review"] = Field(
        default="reject", description="what happens to a row that is found"
    )

    class Reason(StrEnum):
        """Why a row is found."""

        REFUSAL = "refusal"
        SELF_REFERENCE = "self_reference"
        TEMPLATE_RESIDUE = "template_residue"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply."""
        return has_reply(rows["messages"])

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by phrase."""
        reply = prose(reply_text(rows["messages"]))
        patterns = phrases(_FILE)
        hits = {
            self.Reason(each): reply.str.contains(patterns[each]).to_numpy()
            for each in CLASSES
            if each in self.classes
        }
        some = np.flatnonzero(np.any(list(hits.values()), axis=0))
        asked = np.zeros(rows.height, dtype=np.bool_)
        asked[some] = user_text(rows["messages"].gather(some)).str.contains(patterns["asked"])
        masks = {reason: hit & ~(asked & (reason != self.Reason.REFUSAL)) for reason, hit in hits.items()}
        return by_reason(masks, verdict=Verdict(self.verdict))
