"""What every method that writes rows with a teacher has in common: which inputs are asked, and how often."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from zhiling.errors import UsageError
from zhiling.llm.asking import Asks
from zhiling.llm.failures import CallFailure
from zhiling.llm.reply import Reply
from zhiling.llm.verdict import Accept, Ask, Complaint
from zhiling.llm.wire import Request
from zhiling.pipeline.step import Context, Failure, Made, Make
from zhiling.rows.conversation import nest, shown_text
from zhiling.rows.schema import ROW

PROMPTS = Path(__file__).parent / "prompts"
_WAY, _TURN = 0, 91  # draws


@dataclass(frozen=True)
class Draft:
    """A row that is about to be written.

    Attributes:
        parents: ids of its inputs, the one that fails with it first.
        sample: its number among the rows of these inputs, also those of other rounds.
        language: that it is asked for in.
        ask: what the teacher is asked.
        about: what the method needs to know again when the reply is there.
    """

    parents: tuple[str, ...]
    sample: int
    language: str
    ask: Ask
    about: Any = None


@dataclass(frozen=True)
class Written:
    """What a reply became: columns of the record, `messages` as (role, text, name) each."""

    messages: Sequence[tuple[str, str, str | None]]
    task: str
    target: str | None = None
    extra: str | None = None


class TeacherMake(Asks, Make):
    """A Make whose rows a teacher writes; one input gives up to `per_input` rows a round.

    What a reply lacks is a failed attempt with the class of the check that it did not pass. A reply that a
    check refuses is asked for once more.
    """

    prompt_folder: ClassVar[Path] = PROMPTS
    stages: ClassVar[int] = 1  # calls that follow each other for one row

    per_input: int = Field(1, ge=1, description="rows asked for each input (in `repeat`: and round)")
    share: float = Field(
        1.0, gt=0, le=1,
        description="of the inputs, asked in each round of `repeat`; all are asked before any is asked again",
    )  # fmt: skip

    @abstractmethod
    def drafts(self, rows: pl.DataFrame, turns: Sequence[int], context: Context) -> list[Draft]:
        """What is asked about these rows; the samples of row i are numbered from `turns[i]` on."""

    @abstractmethod
    def written(self, draft: Draft, reply: Reply) -> Written | Complaint:
        """The row that an accepted reply makes, or why it makes none."""

    def onward(self, draft: Draft, reply: Reply, context: Context) -> Draft:
        """What is asked next about a reply, where a row takes several calls."""
        raise UsageError(f"step {self.name!r} asks once")

    def later_calls(self) -> Mapping[str, float]:
        """The calls of the further stages."""
        return {self.model: float(self.stages - 1)} if self.stages > 1 else {}

    def checked(
        self, found: Mapping[int, Written], drafts: Sequence[Draft], context: Context
    ) -> Mapping[int, CallFailure | Complaint]:
        """Place of a draft → why its row is none after all, for methods that ask about what they have."""
        return {}

    def first_asks(self, rows: pl.DataFrame, context: Context) -> list[Ask]:
        """What would be asked about these rows in the first round."""
        return [draft.ask for draft in self._drafts(rows, context)]

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """The rows that were written; what failed is told beside them."""
        failures: list[Failure] = []
        replied = self._replied(self._drafts(rows, context), failures, context)
        for _ in range(self.stages - 1):
            replied = self._replied([self.onward(*each, context) for each in replied], failures, context)
        drafts = [draft for draft, _ in replied]
        found: dict[int, Written] = {}
        for place, (draft, reply) in enumerate(replied):
            told = self.written(draft, reply)
            if isinstance(told, Written):
                found[place] = told
            else:
                failures.append(_failure(draft, told))
        _refuse(_repeated(found, drafts), found, drafts, failures)
        _refuse(self.checked(found, drafts, context), found, drafts, failures)
        return Made(_frame([drafts[place] for place in found], list(found.values())), failures)

    def samples(self, draft: Draft, accept: Accept) -> list[Draft]:
        """The draft as often as an input gives rows, with the numbers from its own on."""
        request = draft.ask.request
        return [
            replace(draft, sample=number, ask=Ask(request, number, accept=accept))
            for number in range(draft.sample, draft.sample + self.per_input)
        ]

    def _replied(
        self, drafts: Sequence[Draft], failures: list[Failure], context: Context
    ) -> list[tuple[Draft, Reply]]:
        """The drafts that were replied to; what failed is added to `failures`."""
        outcomes = context.models.ask(self.model, [draft.ask for draft in drafts]) if drafts else []
        replied: list[tuple[Draft, Reply]] = []
        for draft, outcome in zip(drafts, outcomes, strict=True):
            if isinstance(outcome, CallFailure):
                failures.append(_failure(draft, outcome))
            else:
                replied.append((draft, outcome))
        return replied

    def _drafts(self, rows: pl.DataFrame, context: Context) -> list[Draft]:
        chosen, turns = self._turn(rows, context)
        return self.drafts(chosen, [turn * self.per_input for turn in turns], context)

    def _turn(self, rows: pl.DataFrame, context: Context) -> tuple[pl.DataFrame, list[int]]:
        """The rows whose turn it is in this round, and how often each was asked before."""
        # a place on a line that no round changes; each round asks the next piece of it
        places = replace(context, round=0).uniform(rows["id"], _TURN)
        number = max(1, context.round)
        begin, end = (number - 1) * self.share, number * self.share
        numbers = [_lap(place, begin, end) for place in places.tolist()]
        mask = pl.Series([number is not None for number in numbers], dtype=pl.Boolean)
        return rows.filter(mask), [number for number in numbers if number is not None]


class FromPassages(TeacherMake):
    """A method whose inputs are passages; each is asked about in one language and one way."""

    material = True

    @abstractmethod
    def asked(self, passage: str, language: str, draw: float, root: Path) -> tuple[Request, Accept, Any]:
        """What is asked about a passage, what must hold of the reply, and what is needed to write the row.

        Args:
            passage: its text.
            language: of the prompt.
            draw: in [0, 1), for methods that ask in several ways.
            root: the recipe's folder.
        """

    def reads(self) -> tuple[str, ...]:
        """The passage and its language."""
        return ("messages", "task", "language")

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Passages that say something."""
        texts = shown_text(rows["messages"]).str.strip_chars()
        return (rows["task"] == "passage").fill_null(False) & (texts != "")

    def drafts(self, rows: pl.DataFrame, turns: Sequence[int], context: Context) -> list[Draft]:
        """Of each passage `per_input` samples of one request."""
        passages = shown_text(rows["messages"])
        languages = self.languages_of(rows, passages, context)
        draws = context.uniform(rows["id"], _WAY).tolist()
        made: list[Draft] = []
        for row, passage, language, turn, draw in zip(
            rows["id"].to_list(), passages.to_list(), languages, turns, draws, strict=True
        ):
            request, accept, about = self.asked(passage, language, draw, context.root)
            made += self.samples(Draft((row,), turn, language, Ask(request), about), accept)
        return made


def _lap(place: float, begin: float, end: float) -> int | None:
    """The whole number which, added to a place in [0, 1), falls into [begin, end); None: none does."""
    lap = int(begin)
    return next((number for number in (lap, lap + 1) if begin <= number + place < end), None)


def _refuse(
    refused: Mapping[int, CallFailure | Complaint], found: dict[int, Written], drafts: Sequence[Draft],
    failures: list[Failure],
) -> None:  # fmt: skip
    for place, failure in refused.items():
        del found[place]
        failures.append(_failure(drafts[place], failure))


def _repeated(found: Mapping[int, Written], drafts: Sequence[Draft]) -> dict[int, Complaint]:
    """Places of rows in which the user asks what was asked before about the same input."""
    seen: set[tuple[tuple[str, ...], str]] = set()
    again: dict[int, Complaint] = {}
    for place, row in found.items():
        asked = next((text for role, text, _ in row.messages if role == "user"), "")
        key = drafts[place].parents, asked.casefold()
        if key in seen:
            again[place] = Complaint("repeated", f"asked before: {asked[:80]!r}")
        seen.add(key)
    return again


def _failure(draft: Draft, told: CallFailure | Complaint) -> Failure:
    if isinstance(told, CallFailure):
        return told.of_row(draft.parents[0])
    return Failure(draft.parents[0], told.cls, told.message, retryable=True)


def _frame(drafts: Sequence[Draft], written: Sequence[Written]) -> pl.DataFrame:
    lines = [line for each in written for line in each.messages]
    flat = pl.DataFrame(lines, schema={"role": pl.String, "text": pl.String, "name": pl.String}, orient="row")
    return pl.DataFrame(
        {
            "messages": nest(flat, [len(each.messages) for each in written]),
            "task": pl.Series([each.task for each in written], dtype=pl.String),
            "target": pl.Series([each.target for each in written], dtype=pl.String),
            "language": pl.Series([draft.language for draft in drafts], dtype=pl.String),
            "extra": pl.Series([each.extra for each in written], dtype=ROW["extra"]),
            "parents": pl.Series([list(draft.parents) for draft in drafts], dtype=pl.List(pl.String)),
            "sample": pl.Series([draft.sample for draft in drafts], dtype=pl.Int64),
        }
    )
