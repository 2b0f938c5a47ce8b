"""Same facts: a translation or a summary has the numbers, dates, links and codes of its source."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context
from zhiling.rows.conversation import has_reply, shown_text
from zhiling.rows.templates import Unparsed
from zhiling.verification.check import Check, Problem, Row
from zhiling.verification.counting import words
from zhiling.verification.facts import differing
from zhiling.verification.languages import code_of, other_language
from zhiling.verification.names import foreign_names
from zhiling.verification.replies import exchange_of, library

Compare = Literal["auto", "equal", "supported"]
_TASKS = {"translation": "equal", "summarisation": "supported"}
_LEAST_WORDS = 10


class SameFacts(Check):
    """Rejects rows whose reply loses or invents a number, a date, a link or a code of what it was made from.

    The source is what documents and users say before the reply (of a templated row the example's own texts).
    Numbers are compared by value, whatever their spelling: `1,200`, １２００, 一千二百, twelve hundred, 1.2k;
    百分之五 is 5 %; months and weekdays by name in both languages.

    Reasons, the first that holds: `unreadable_reply` (its template cannot be read back), `language` (a
    translation is surely in another language than its target says), `length` (its words, Chinese: characters,
    are too few or too many beside the source's), `link`, `code`, `date`, `number` (one is missing or added),
    `name` (no part of it stands in the source). Score: how many problems there are.
    """

    name: ClassVar[str] = "same_facts"
    about = ("translation", "summarisation")
    cost: ClassVar[str] = "cheap: about 0.2 ms a row; a language in Latin letters 0.3 ms more"
    limits: ClassVar[str] = (
        "Compares sets: a number at the wrong place, or exchanged with another one of the text, is not seen. "
        "一 and `one` claim nothing; both, half, 半, 双 answer a number and demand none. Units and "
        "currencies are not converted, signs not read. Free translations (seven days for a week, a proverb "
        "with another number) are found as well. Names are compared within one script only, and by capitals: "
        "one that begins a sentence is not seen. Numbers of an instruction in the prompt are the source's."
    )

    compare: Compare = Field(
        "auto",
        description="`equal`: nothing lost and nothing added; `supported`: nothing added; `auto`: "
        "translations are equal, summaries supported, other tasks pass by",
    )
    names: bool = Field(default=False, description="whether names that the reply adds count, in one script")
    least_ratio: float | None = Field(
        0.25, gt=0, description="fewest words of a translation a word of its source; null: any"
    )
    most_ratio: float | None = Field(
        4.0, gt=0, description="most words of a translation a word of its source (summaries: 1); null: any"
    )
    own_wordings: tuple[str, ...] = Field(
        (), description="files with the wordings of your own that rows were templated by"
    )

    class Reason(StrEnum):
        """Why a row is rejected."""

        UNREADABLE_REPLY = "unreadable_reply"
        LANGUAGE = "language"
        LENGTH = "length"
        LINK = "link"
        CODE = "code"
        DATE = "date"
        NUMBER = "number"
        NAME = "name"

    def reads(self) -> tuple[str, ...]:
        """Conversation, truth and task."""
        return ("messages", "target", "task")

    def files(self) -> tuple[str, ...]:
        """Own wordings."""
        return self.own_wordings

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a source and a reply, of the tasks that are compared."""
        shown = shown_text(rows["messages"]).str.strip_chars() != ""
        replied = shown & has_reply(rows["messages"])
        if self.compare != "auto":
            return replied
        return replied & rows["task"].is_in(list(_TASKS)).fill_null(value=False)

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        told = exchange_of(row["messages"], row["target"], library(context.root, self.own_wordings))
        if isinstance(told, Unparsed):
            yield Problem(self.Reason.UNREADABLE_REPLY, f"{told.reason}: {told.detail}")
            return
        wanted = told.truth.get("target_language")
        language = wanted if isinstance(wanted, str) else None
        yield from self.between(told.shown, told.said, how=self._how(row["task"]), language=language)

    def between(
        self, source: str, reply: str, *, how: str = "equal", language: str | None = None
    ) -> Iterator[Problem]:
        """What is wrong with a reply to this source.

        Args:
            source: the original.
            reply: made from it.
            how: `equal` or `supported`.
            language: tag of the language that it should be in; None: any.
        """
        code = None if language is None else code_of(language)
        other = None if code is None else other_language(reply, code)
        if other is not None:
            yield Problem(self.Reason.LANGUAGE, f"it is written in {other}, not in {language}")
        yield from self._of_length(words(source), words(reply), how)
        for difference in differing(source, reply, supported=how == "supported"):
            yield Problem(_REASONS[difference.kind], str(difference))
        if self.names:
            for name in foreign_names(reply, source):
                yield Problem(self.Reason.NAME, f"name {name!r:.60} is added")

    def _how(self, task: str | None) -> str:
        return _TASKS.get(task or "", "equal") if self.compare == "auto" else self.compare

    def _of_length(self, shown: int, said: int, how: str) -> Iterator[Problem]:
        if shown < _LEAST_WORDS:
            return
        least, most = (None, 1.0) if how == "supported" else (self.least_ratio, self.most_ratio)
        if self.most_ratio is None:
            most = None
        if least is not None and said < least * shown:
            yield Problem(self.Reason.LENGTH, f"{said} words of {shown}, at least {least:g} times are needed")
        if most is not None and said > most * shown:
            yield Problem(self.Reason.LENGTH, f"{said} words of {shown}, at most {most:g} times are allowed")


_REASONS = {
    "link": SameFacts.Reason.LINK,
    "code": SameFacts.Reason.CODE,
    "date": SameFacts.Reason.DATE,
    "month": SameFacts.Reason.DATE,
    "weekday": SameFacts.Reason.DATE,
    "number": SameFacts.Reason.NUMBER,
    "percent": SameFacts.Reason.NUMBER,
}
"""Kind of a difference → its reason."""
