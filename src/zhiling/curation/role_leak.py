"""Rejects rows in which marks of a prompt format stand inside a text."""

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
from zhiling.rows.conversation import all_text, reply_text, user_text

_FILE = "role_leak_markers.toml"


class RoleLeak(Decide):
    """Rejects rows in which a chat template's tokens, an instruction heading or a speaker's label leaked.

    Tokens ("<|im_start|>", "[INST]", "</s>") are looked for in all messages but the system's; headings
    ("### Response:", ### 指令：) and labels in replies only. A label counts where the reply begins with the
    assistant's ("Assistant: …", 助手：…) or goes on with a turn of the user's (a line "Human: …", 用户：…).
    Code is left out; labels are let pass where the user asks for a dialogue, a script or a format.

    Reasons, the first that holds: `template_token`, `instruction_heading`, `speaker_label`. Score: how many
    of the classes are met.
    """

    name: ClassVar[str] = "role_leak"
    version: ClassVar[int] = 2
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "cheap: about 5 microseconds a row"
    limits: ClassVar[str] = (
        "Text about chat templates that shows their tokens outside code is found as well; HTML's <s> is not. "
        "Markers of formats that are not in the list pass, and labels in the middle of a line. "
        "No public truth exists: only false alarms are measured."
    )

    verdict: Literal["reject", "flag", "review"] = Field(
        default="reject", description="what happens to a row that is found"
    )

    class Reason(StrEnum):
        """Why a row is found."""

        TEMPLATE_TOKEN = "template_token"
        INSTRUCTION_HEADING = "instruction_heading"
        SPEAKER_LABEL = "speaker_label"

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by marker."""
        patterns = phrases(_FILE)
        messages = rows["messages"]
        reply = prose(reply_text(messages))
        masks = {
            self.Reason.TEMPLATE_TOKEN: prose(all_text(messages)).str.contains(patterns["template_token"]),
            self.Reason.INSTRUCTION_HEADING: reply.str.contains(patterns["instruction_heading"]),
            self.Reason.SPEAKER_LABEL: reply.str.contains(patterns["speaker_label"]),
        }
        found = {reason: mask.to_numpy().copy() for reason, mask in masks.items()}
        labelled = np.flatnonzero(found[self.Reason.SPEAKER_LABEL])
        wanted = user_text(messages.gather(labelled)).str.contains(patterns["asked"])
        found[self.Reason.SPEAKER_LABEL][labelled] = ~wanted.to_numpy()
        return by_reason(found, verdict=Verdict(self.verdict))
