"""Rejects rows whose reply has code or JSON that is broken in form."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.code_blocks import begins_with_json, code_blocks, is_balanced, is_json
from zhiling.pipeline.step import Context, Decide
from zhiling.rows.conversation import has_reply, question_text, reply_text

_ASKS_JSON = r"(?i)(?-u:\b)json(?-u:\b)"
_SUSPECT = r"```|~~~|^\s*[\[{]"
Check = Literal["open_fence", "broken_json", "unbalanced_code"]
CHECKS: tuple[Check, ...] = ("open_fence", "broken_json", "unbalanced_code")


class Structure(Decide):
    """Rejects rows whose reply has a code fence that never closes, JSON that does not parse, open brackets.

    JSON is judged where a fence says `json`, and where the question says JSON and the reply begins with a
    brace or bracket. One value a line is JSON too. Brackets are judged in fenced code of languages in which
    they pair (Python, JavaScript, Java, C, Go, Rust, SQL, …), outside strings and comments; what a reply
    opens in one block and closes in a later one is closed.

    Reasons, the first that holds: `open_fence`, `broken_json`, `unbalanced_code`. Score: how many hold.
    """

    name: ClassVar[str] = "structure"
    cost: ClassVar[str] = "cheap: about 2 microseconds a row, 50 for one with code"
    limits: ClassVar[str] = (
        "Does not parse programs: balanced nonsense passes, and an excerpt that shows half a function is "
        "found. JSON with comments or … in it is broken JSON. A reply without any JSON where JSON was wanted "
        "is not seen, and neither is code without a fence. No public truth exists: only false alarms are "
        "measured, on instruction rows and on pages of a manual."
    )
    source: ClassVar[str] = "CommonMark 0.31 (fences), RFC 8259 (JSON)"

    checks: tuple[Check, ...] = Field(default=CHECKS, min_length=1, description="what is checked")

    class Reason(StrEnum):
        """Why a row is rejected."""

        OPEN_FENCE = "open_fence"
        BROKEN_JSON = "broken_json"
        UNBALANCED_CODE = "unbalanced_code"

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a reply."""
        return has_reply(rows["messages"])

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by form."""
        reply = reply_text(rows["messages"])
        suspects = reply.str.contains(_SUSPECT).arg_true()
        questions = question_text(rows["messages"].gather(suspects)).str.contains(_ASKS_JSON)
        masks = {self.Reason(check): np.zeros(rows.height, dtype=np.bool_) for check in CHECKS}
        for row, text, wants_json in zip(suspects, reply.gather(suspects), questions, strict=True):
            for check in problems(text, wants_json=wants_json):
                masks[self.Reason(check)][row] = check in self.checks
        return by_reason(masks)


def problems(reply: str, *, wants_json: bool) -> set[Check]:
    """What is broken in a reply; `wants_json`: whether its question says JSON."""
    blocks = list(code_blocks(reply))
    found = set[Check]()
    if any(not block.closed for block in blocks):
        found.add("open_fence")
    start = reply.lstrip()
    unfenced = wants_json and start[:1] in ("{", "[") and not begins_with_json(start)
    if unfenced or any(block.language == "json" and not is_json(block.text) for block in blocks):
        found.add("broken_json")
    if not is_balanced(blocks):
        found.add("unbalanced_code")
    return found
