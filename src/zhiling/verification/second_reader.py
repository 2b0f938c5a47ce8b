"""The base of checks that ask: a role of the recipe answers a row's question without its answer in sight."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import polars as pl
from pydantic import Field

from zhiling.llm.asking import Asks
from zhiling.llm.failures import CallFailure
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Ask, Outcome
from zhiling.pipeline.step import VERDICT_SCHEMA, Context, Decide, Verdict
from zhiling.verification.round_trip import PROMPTS

BROKEN = "broken_target"
"""The reason of a row about which nothing can be asked."""
Line = Mapping[str, Any]
"""Verdict and columns of a row; what it leaves out is null."""


class Posed(Protocol):
    """What is asked about a row; its text tells the language where the row does not."""

    @property
    def text(self) -> str:
        """The question as the row asks it."""
        ...


class SecondReader(Asks, Decide):
    """Judges each row by what a second reader answers; a row whose truth cannot be read costs no call.

    The reason of such a row is `broken_target`. A row of whose calls one fails, fails with its class.
    """

    prompt_folder: ClassVar[Path] = PROMPTS

    model: str = Field(
        "checker", min_length=1, description="role of the recipe's `models` that answers again"
    )
    max_tokens: int = Field(512, ge=1, description="longest reply; one that is longer is a failure")

    @abstractmethod
    def posed(self, rows: pl.DataFrame, context: Context) -> Sequence[Any]:
        """What is asked about each row (`Posed`), or in words (a `str`) why nothing can be."""

    @abstractmethod
    def asks(self, posed: Any, language: str, root: Path) -> Sequence[Ask]:
        """The calls that ask it."""

    @abstractmethod
    def line(self, posed: Any, replies: Sequence[Reply]) -> Line:
        """The row's line, by the replies to its calls."""

    def reads(self) -> tuple[str, ...]:
        """Conversation, truth and language."""
        return ("messages", "target", "language")

    def first_asks(self, rows: pl.DataFrame, context: Context) -> list[Ask]:
        """The calls of each row about which something can be asked."""
        return [ask for asks in self._asks(rows, self.posed(rows, context), context) for ask in asks]

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by what the second reader says, and the class of each call that failed."""
        posed = self.posed(rows, context)
        asks = self._asks(rows, posed, context)
        calls = [ask for each in asks for ask in each]
        outcomes = iter(context.models.ask(self.model, calls) if calls else [])
        lines = [
            self._line(each, [next(outcomes) for _ in its]) for each, its in zip(posed, asks, strict=True)
        ]
        return pl.DataFrame(lines, schema={**VERDICT_SCHEMA, **self.writes(), "failure": pl.String()})

    def _asks(
        self, rows: pl.DataFrame, posed: Sequence[Posed | str], context: Context
    ) -> list[Sequence[Ask]]:
        texts = pl.Series([each if isinstance(each, str) else each.text for each in posed], dtype=pl.String)
        languages = self.languages_of(rows, texts, context)
        return [
            [] if isinstance(each, str) else self.asks(each, language, context.root)
            for each, language in zip(posed, languages, strict=True)
        ]

    def _line(self, posed: Posed | str, outcomes: Sequence[Outcome]) -> Line:
        if isinstance(posed, str):
            return {"verdict": str(Verdict.REJECT), "reason": BROKEN, "problems": posed}
        failed = next((each for each in outcomes if isinstance(each, CallFailure)), None)
        if failed is not None:  # the runner takes the class, and not the verdict
            return {"verdict": str(Verdict.KEEP), "failure": failed.reason or failed.cls.value}
        return self.line(posed, [each for each in outcomes if isinstance(each, Reply)])
