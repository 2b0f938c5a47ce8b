"""The base of this room's steps: what is wrong with a row becomes its verdict, its reason and its column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

import polars as pl
from pydantic import BaseModel, ValidationError

from zhiling.pipeline.step import VERDICT_SCHEMA, Context, Decide, Verdict

_MOST_TOLD = 20
Truth = TypeVar("Truth", bound=BaseModel)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a row.

    Attributes:
        reason: its class; the step's `Reason` lists them in the order of their weight.
        told: what exactly, with the values, for people.
    """

    reason: StrEnum
    told: str


class Check(Decide):
    """Rejects rows in which something is wrong, and says all that is in the column `problems`.

    The reason is the first of the step's `Reason` that holds; the score is how many problems there are. A
    row whose only problems are in `UNDECIDED` waits for review: the truth could not be told.
    """

    UNDECIDED: ClassVar[frozenset[str]] = frozenset()

    def reads(self) -> tuple[str, ...]:
        """Conversation and truth."""
        return ("messages", "target")

    def writes(self) -> dict[str, pl.DataType]:
        """All problems of a row, one a line; null where there are none."""
        return {"problems": pl.String()}

    @abstractmethod
    def problems(self, row: Row, context: Context) -> Iterable[Problem]:
        """What is wrong with one row, a mapping of `reads()`."""

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Verdicts by what is wrong."""
        found = self.found(rows, context)
        return pl.DataFrame(
            [self._line(problems) for problems in found],
            schema={**VERDICT_SCHEMA, **self.writes()},
            orient="row",
        )

    def found(self, rows: pl.DataFrame, context: Context) -> Iterator[Sequence[Problem]]:
        """What is wrong with each row, in their order."""
        for row in rows.select(self.reads()).iter_rows(named=True):
            yield list(self.problems(row, context))

    def _line(self, problems: Sequence[Problem]) -> tuple[Any, ...]:
        if not problems:
            return str(Verdict.KEEP), None, 0.0, None, None
        held = {problem.reason for problem in problems}
        reason = next(each for each in self.Reason if each in held)
        verdict = Verdict.REVIEW if held <= self.UNDECIDED else Verdict.REJECT
        told = [problem.told for problem in problems[:_MOST_TOLD]]
        if len(problems) > _MOST_TOLD:
            told.append(f"and {len(problems) - _MOST_TOLD} more")
        return str(verdict), str(reason), float(len(problems)), None, "\n".join(told)


def truth_in(document: str, model: type[Truth]) -> Truth | str:
    """A row's target (JSON) as this truth, or in words why it is none."""
    try:
        return model.model_validate_json(document)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "target"
        return f"{where}: {problem['msg']}: {document!r:.80}"


def holds(target: pl.Series, *keys: str) -> pl.Series:
    """Rows whose target speaks of one of these keys, whether or not it can be read (bool, never null)."""
    named = "|".join(f'"{key}"' for key in keys)
    return target.cast(pl.String).str.contains(named).fill_null(value=False)
