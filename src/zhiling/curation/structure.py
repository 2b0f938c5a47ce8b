"""Rejects rows whose reply has code or JSON that is broken in form."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.code_blocks import begins_with_json, is_balanced, is_json
from zhiling.pipeline.step import Context, Decide
from zhiling.rows.conversation import has_reply, question_text, reply_text
from zhiling.text.fences import code_blocks

_ASKS_JSON = r"(?i)(?-u:\b)json(?-u:\b)"
_SUSPECT = r"```|~~~|^\s*[\[{]"
_MANGLED = (
    r"(?m)^[ \t]*(?:"
    r"(?:定义|对于|如果|否则如果|否则|当|def|class|for|while|if|elif|function|public|公共|函数|类)"
    r"[^，。！？\n]{0,60}（[^。！？\n]*）[^，。！？\n]{0,20}[：:{][ \t]*$"
    r"|(?:打印|返回|print|return)[ \t]*\w*（[^。！？\n]*）[；;]?[ \t]*$"
    r"|[A-Za-z_][\w.]*(?: ?= ?[A-Za-z_][\w.]*)?（[^）\n]*）[ \t]*[：；;{][ \t]*$"
    r"|def [^\n]*（)"
)
"""A line of code whose brackets are full-width: a statement, a call, the head of a function."""
Check = Literal["open_fence", "broken_json", "unbalanced_code", "mangled_code"]
CHECKS: tuple[Check, ...] = ("open_fence", "broken_json", "unbalanced_code", "mangled_code")


class Structure(Decide):
    """Rejects rows whose reply has an open code fence, JSON that does not parse, open or full-width brackets.

    JSON is judged where a fence says `json`, and where the question says JSON and the reply begins with a
    brace or bracket. One value a line is JSON too. Brackets are judged in fenced code of languages in which
    they pair (Python, JavaScript, Java, C, Go, Rust, SQL, …), outside strings and comments; what a reply
    opens in one block and closes in a later one is closed. Code that was translated along with its text
    (`def 求和（数字）：`, 打印（arr）) shows in lines whose brackets are full-width, fenced or not.

    Reasons, the first that holds: `open_fence`, `broken_json`, `unbalanced_code`, `mangled_code`. Score: how
    many hold.
    """

    name: ClassVar[str] = "structure"
    version: ClassVar[int] = 2
    cost: ClassVar[str] = "cheap: about 2 microseconds a row, 50 for one with code"
    limits: ClassVar[str] = (
        "Does not parse programs: balanced nonsense passes, and an excerpt that shows half a function is "
        "found. JSON with comments or … in it is broken JSON. A reply without any JSON where JSON was wanted "
        "is not seen, and neither is code without a fence, unless its brackets are full-width. Of the first "
        "three there is no public truth: only false alarms are measured, on instruction rows and on pages of "
        "a manual."
    )
    source: ClassVar[str] = "CommonMark 0.31 (fences), RFC 8259 (JSON)"

    checks: tuple[Check, ...] = Field(default=CHECKS, min_length=1, description="what is checked")

    class Reason(StrEnum):
        """Why a row is rejected."""

        OPEN_FENCE = "open_fence"
        BROKEN_JSON = "broken_json"
        UNBALANCED_CODE = "unbalanced_code"
        MANGLED_CODE = "mangled_code"

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
        if "mangled_code" in self.checks:
            masks[self.Reason.MANGLED_CODE] = reply.str.contains(_MANGLED).to_numpy()
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
