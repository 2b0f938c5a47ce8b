"""Replaces personal data by typed placeholders."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.curation.personal_data import KINDS, NAMED_KINDS, SUSPICIOUS, Kind
from zhiling.curation.placeholders import PLACEHOLDER, Numbering, rewrite
from zhiling.curation.turns import REWRITES, Turns, holding, rewrite_rows
from zhiling.pipeline.step import Context, Made, Make

ANY_LETTER = rf"\p{{L}}|{SUSPICIOUS}"


class Redact(Make):
    """Replaces e-mail addresses, telephone, card and identity numbers, IPs and secrets by `[EMAIL_1]` etc.

    One value has one placeholder in all messages, alternatives, `extra` and rows of its group
    (`origin.group`; a row without one is its own group). Spans and tokens of `target` move along; a row
    whose span is cut through by a placeholder is the failure `span_cut`. Rows without a finding are not
    rewritten and keep their id.

    Kinds: email; phone (Chinese mobile and fixed, international, North American, or announced by words);
    card (Luhn); resident_id (Chinese, checksum); ssn; iban (modulo 97); ip (v4, v6); secret (private keys,
    tokens, connection strings, assigned passwords: as the step `secrets` finds them). On request also url
    (web addresses), person and address (names and postal addresses, English and Chinese, by a small model);
    with `pseudonyms` a person gets an invented name instead, the same one in every row.
    """

    name = "redact"
    version: ClassVar[int] = 3
    scope = "group"
    effect = "replaces"
    cost: ClassVar[str] = "cheap: about 3 microseconds a row, 100 for one with a suspicious number"
    limits: ClassVar[str] = (
        "15-digit ids, passports and addresses in other scripts are not found; names and postal addresses "
        "only on request and with many errors: look at what was replaced. Numbers inside URLs and toll-free "
        "lines are left as they are. "
        "A part number written like a social security number is taken for one."
    )
    source: ClassVar[str] = (
        "ISO/IEC 7812-1 (cards), GB 11643-1999 (resident ids), ISO 13616 (IBAN), ITU-T E.164 (phones)"
    )

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1, description="what is replaced")
    pseudonyms: bool = Field(default=False, description="people get invented names, not placeholders")

    def reads(self) -> tuple[str, ...]:
        """Everything that can hold text, and the group."""
        return (*REWRITES, "group")

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """The rows with findings, rewritten."""
        kinds = frozenset(self.kinds)
        suspects = rows.filter(holding(rows, ANY_LETTER if kinds & NAMED_KINDS else SUSPICIOUS))
        if not suspects.height:
            return Made(pl.DataFrame())
        # Shorter conversations of a group first: they are the beginnings of the longer ones.
        suspects = suspects.sort(pl.col("messages").list.len(), "id")
        seed = context.seed if self.pseudonyms else None
        return rewrite_rows(
            suspects,
            [partial(rewrite, kinds=kinds, numbering=numbering) for numbering in _numberings(suspects, seed)],
        )


def _numberings(rows: pl.DataFrame, pseudonyms: int | None) -> list[Numbering]:
    """One numbering a group, as a list with one entry a row; numbers that stand in its texts are taken."""
    groups = rows.select(pl.when(pl.col("group").is_null()).then("\0" + pl.col("id")).otherwise("group"))
    numberings: defaultdict[str, Numbering] = defaultdict(lambda: Numbering(pseudonyms=pseudonyms))
    of_row: list[Numbering] = [numberings[group] for group in groups.to_series().to_list()]
    for turns in (Turns.of_messages(rows["messages"]), Turns.of_alternatives(rows["alternatives"])):
        for line in turns.matching(PLACEHOLDER.pattern).arg_true().to_list():
            of_row[int(turns.owner[line])].reserve(turns.line_text(line))
    return of_row
