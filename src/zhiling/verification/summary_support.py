"""Summary support: what a summary says stands in its source, in fewer words and in the language asked for."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar

import polars as pl
from pydantic import Field, field_validator

from zhiling.pipeline.step import VERDICT_SCHEMA, Context
from zhiling.rows.conversation import has_reply, shown_text
from zhiling.rows.templates import Unparsed
from zhiling.verification.check import Check, Problem, Row
from zhiling.verification.counting import words as word_count
from zhiling.verification.languages import code_of, other_language
from zhiling.verification.ngrams import Support, support
from zhiling.verification.replies import exchange_of, library

ROW, ANY = "row", "any"
_TOLD = 12
"""Most n-grams that a problem names."""


class SummarySupport(Check):
    """Rejects summaries whose words their source does not hold, or that are too long or in another language.

    Counted are distinct n-grams of content words (stems of English, characters of Chinese); function words
    count nothing. The source is what documents and users say before the reply (of a templated row the
    example's own texts). Put `same_facts` beside it: one wrong number hardly lowers a share.

    Reasons, the first that holds: `unreadable_reply` (its template cannot be read back), `language` (it is
    surely in another language than asked for), `not_comparable` (its source is: such a row waits for review),
    `length` (too many or too few words beside the source's), `unsupported`. Score: the share of n-grams that
    the source holds, 0 to 1; null where nothing was compared. The column `length_ratio` is in words (Chinese:
    characters) of the summary a word of the source.
    """

    name: ClassVar[str] = "summary_support"
    about = ("summarisation",)
    cost: ClassVar[str] = "cheap: about 0.4 ms a row; a language in Latin letters 2 ms more"
    limits: ClassVar[str] = (
        "Finds summaries of something else, not a wrong word in a right one: a false name, an exchange or a "
        "negation hardly lowers the share. A free summary in words of its own has a low share, a copied "
        "sentence a high one. English endings are cut by rule (went is not go)."
    )
    source: ClassVar[str] = "Grusky et al. 2018, Newsroom (extractive coverage)"
    UNDECIDED: ClassVar[frozenset[str]] = frozenset({"not_comparable"})

    words: float = Field(
        0.42, ge=0, le=1, description="least share of n-grams of words that the source holds"
    )
    characters: float = Field(
        0.3,
        ge=0,
        le=1,
        description="the same of characters (Chinese); mixed texts: by the numbers of both",
    )
    size: int = Field(1, ge=1, le=5, description="tokens of the longest n-grams; longer ones ask for copies")
    most_ratio: float | None = Field(
        1.0, gt=0, description="most words of a summary a word of its source; null: any"
    )
    least_ratio: float | None = Field(
        None, gt=0, description="fewest words of a summary a word of its source; null: any"
    )
    language: str = Field(
        ROW,
        description="language asked for: `row` (the row's own), a tag such as zh, or `any`",
        examples=["zh"],
    )
    tasks: tuple[str, ...] = Field(
        ("summarisation",), min_length=1, description="tasks whose replies are summaries"
    )
    own_wordings: tuple[str, ...] = Field(
        (), description="files with the wordings of your own that rows were templated by"
    )

    class Reason(StrEnum):
        """Why a row is rejected or reviewed."""

        UNREADABLE_REPLY = "unreadable_reply"
        LANGUAGE = "language"
        NOT_COMPARABLE = "not_comparable"
        LENGTH = "length"
        UNSUPPORTED = "unsupported"

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str) -> str:
        if language not in (ROW, ANY) and code_of(language) is None:
            raise ValueError(f"language is {language!r}: `row`, `any`, or a tag or name such as zh, English")
        return language

    def reads(self) -> tuple[str, ...]:
        """Conversation, truth, task and language."""
        return ("messages", "target", "task", "language")

    def writes(self) -> dict[str, pl.DataType]:
        """All problems of a row, one a line, and its length beside the source's."""
        return {**super().writes(), "length_ratio": pl.Float64()}

    def files(self) -> tuple[str, ...]:
        """Own wordings."""
        return self.own_wordings

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with a source and a reply, of the tasks that sum up."""
        shown = shown_text(rows["messages"]).str.strip_chars() != ""
        wanted = rows["task"].is_in(list(self.tasks)).fill_null(value=False)
        return shown & has_reply(rows["messages"]) & wanted

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by what is wrong; the score is the share."""
        lines: list[tuple[Any, ...]] = []
        for row in rows.select(self.reads()).iter_rows(named=True):
            problems, share, ratio = self._judged(row, context)
            verdict, reason, _, related, told = self._line(problems)
            lines.append((verdict, reason, share, related, told, ratio))
        return pl.DataFrame(lines, schema={**VERDICT_SCHEMA, **self.writes()}, orient="row")

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        yield from self._judged(row, context)[0]

    def between(
        self, source: str, summary: str, language: str | None = None
    ) -> tuple[list[Problem], Support | None]:
        """What is wrong with a summary of this source, and what the source holds of it.

        Args:
            source: the original.
            summary: of it.
            language: tag or name of the language that is asked for; None: any.
        """
        code = None if language is None else code_of(language)
        if code is not None and (other := other_language(summary, code)) is not None:
            return [Problem(self.Reason.LANGUAGE, f"it is written in {other}, not in {language}")], None
        if code is not None and (other := other_language(source, code)) is not None:
            told = f"its source is written in {other}, and {language} is asked for"
            return [Problem(self.Reason.NOT_COMPARABLE, told), *self._of_length(source, summary)], None
        found = support(source, summary, self.size)
        problems = list(self._of_length(source, summary))
        least = found.least(self.words, self.characters)
        if found.share < least:
            more = "" if len(found.missing) <= _TOLD else f" and {len(found.missing) - _TOLD} more"
            told = f"the source holds {found.share:.2f} of it, at least {least:.2f} is needed; it lacks: "
            problems.append(
                Problem(self.Reason.UNSUPPORTED, f"{told}{', '.join(found.missing[:_TOLD])}{more}")
            )
        return problems, found

    def _judged(self, row: Row, context: Context) -> tuple[list[Problem], float | None, float | None]:
        told = exchange_of(row["messages"], row["target"], library(context.root, self.own_wordings))
        if isinstance(told, Unparsed):
            return [Problem(self.Reason.UNREADABLE_REPLY, f"{told.reason}: {told.detail}")], None, None
        language = {ROW: row["language"], ANY: None}.get(self.language, self.language)
        problems, found = self.between(told.shown, told.said, language)
        shown = word_count(told.shown)
        ratio = word_count(told.said) / shown if shown else None
        return problems, None if found is None else found.share, ratio

    def _of_length(self, source: str, summary: str) -> Iterator[Problem]:
        shown, said = word_count(source), word_count(summary)
        if self.least_ratio is not None and said < self.least_ratio * shown:
            told = f"{said} words of {shown}, at least {self.least_ratio:g} times are needed"
            yield Problem(self.Reason.LENGTH, told)
        if self.most_ratio is not None and said > self.most_ratio * shown:
            told = f"{said} words of {shown}, at most {self.most_ratio:g} times are allowed"
            yield Problem(self.Reason.LENGTH, told)
