"""Rejects or flags rows that give away keys, tokens or passwords."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from zhiling.curation.by_reason import by_reason
from zhiling.curation.credentials import CLASSES, Class, credentials, signs
from zhiling.curation.personal_data import narrow
from zhiling.curation.turns import Turns
from zhiling.pipeline.step import Context, Decide, Verdict


class Secrets(Decide):
    """Rejects rows that hold a private key, a token, a connection string or an assigned password.

    All messages and alternatives are searched, with their reasoning and tool calls, and `target` and
    `extra`. `redact` (kind `secret`) finds the same and replaces it: use this step where such rows should
    not be kept at all, or behind `redact` as proof that nothing was left.

    Reasons, the first that holds: `private_key` (PEM), `connection_string` (user:password@host, AccountKey=),
    `token` (by the prefixes of well known providers, JWT, bearer, values of token= in addresses), `assigned`
    (what the text calls a password, key, token, 密码, 密钥: a key must look random, a password hold a digit).
    Score: how many secrets.
    """

    name: ClassVar[str] = "secrets"
    material: ClassVar[bool] = True
    cost: ClassVar[str] = "cheap: about 5 microseconds a row, 50 for a suspicious one"
    limits: ClassVar[str] = (
        "A password without a digit, or one that is not called so, is not found; nor is a key without a "
        "known prefix or name. Made-up secrets of tutorials are found like true ones, unless they say "
        "example, your or xxx. No public truth exists for these rules: only their false alarms are measured."
    )
    source: ClassVar[str] = "RFC 7468 (PEM), RFC 7519 (JWT), RFC 6750 (bearer); token prefixes as published"

    classes: tuple[Class, ...] = Field(default=CLASSES, min_length=1, description="what is looked for")
    verdict: Literal["reject", "flag", "review"] = Field(
        default="reject", description="what happens to a row that is found"
    )

    class Reason(StrEnum):
        """Why a row is found."""

        PRIVATE_KEY = "private_key"
        CONNECTION_STRING = "connection_string"
        TOKEN = "token"
        ASSIGNED = "assigned"

    def reads(self) -> tuple[str, ...]:
        """Everything that can hold text."""
        return ("messages", "alternatives", "target", "extra")

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by finding."""
        masks = {self.Reason(kind): np.zeros(rows.height, dtype=np.bool_) for kind in CLASSES}
        score = np.zeros(rows.height)
        for row, text in _suspicious_texts(rows):
            for kind in (found.kind for found in credentials(narrow(text)) if found.kind in self.classes):
                masks[self.Reason(kind)][row] = True
                score[row] += 1
        return by_reason(masks, score=score, verdict=Verdict(self.verdict))


def _suspicious_texts(rows: pl.DataFrame) -> list[tuple[int, str]]:
    """Row and text of whatever a secret may stand in."""
    found: list[tuple[int, str]] = []
    for name in ("target", "extra"):
        places = rows[name].str.contains(signs()).fill_null(False).arg_true()
        found += zip(places.to_list(), rows[name].gather(places).to_list(), strict=True)
    for turns in (Turns.of_messages(rows["messages"]), Turns.of_alternatives(rows["alternatives"])):
        lines = turns.matching(signs()).arg_true().to_list()
        found += [(int(turns.owner[line]), turns.line_text(line)) for line in lines]
    return found
