"""Code runs: a reply's program passes the tests of its row, each alone in a sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import ClassVar

import polars as pl
from pydantic import Field

from zhiling.pipeline.step import Context
from zhiling.rows.conversation import has_reply
from zhiling.rows.target import Tests
from zhiling.rows.templates import Unparsed
from zhiling.text.fences import code_blocks
from zhiling.verification.check import Check, Problem, Row, holds, truth_in
from zhiling.verification.replies import library, reply_of
from zhiling.verification.sandbox import Limits, Outcome, run

_PYTHON = frozenset({"", "python", "py", "python3"})
_ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class _Case:
    """A row's programs, or what keeps it from having any."""

    programs: Sequence[tuple[str, ...]] = ()
    without_code: Sequence[tuple[str, ...]] = ()
    problem: Problem | None = None


class CodeRuns(Check):
    """Rejects rows whose reply does not pass the tests of its target (task `code`), run in a sandbox.

    The program is the reply's fenced Python, all blocks together, or the whole reply where it has no fence.
    Each test runs alone: set-up, program, test. Nothing is run where it cannot be isolated: the step stops
    with an error that says what is missing.

    Reasons, the first that holds: `broken_target` (no tests that can be read), `unreadable_reply` (its
    template cannot be read back), `no_code`, `broken_code` (it is no Python), `failed_test` (an assertion
    does not hold), `error` (anything else is raised), `over_limit` (of time, memory or file size, or ended by
    the system), `vacuous_tests` (all of them pass without the program); `other_language`: programs that are
    no Python wait for review. Score: how many tests are not passed.
    """

    name: ClassVar[str] = "code_runs"
    about = ("code",)
    cost: ClassVar[str] = "about 20 ms a test and 60 ms a batch of rows, and what the programs take"
    limits: ClassVar[str] = (
        "Python on Linux only. A program can read the files that its user can read, and one that is written "
        "to cheat can look at the code that runs it: programs of people who mean harm belong into a virtual "
        "machine. No sockets, no further processes, no devices: a test that needs them fails. What no test "
        "asks is not known, and a program without a fence is taken with all words around it."
    )
    UNDECIDED: ClassVar[frozenset[str]] = frozenset({"other_language"})

    seconds: float = Field(
        5.0,
        gt=0,
        le=600,
        description="most seconds of the processor that a test takes; it may wait ten times as long",
    )
    memory_mb: int = Field(512, ge=64, description="most memory of a test (address space), MB")
    file_mb: int = Field(16, ge=1, description="longest file that a test may write, MB")
    packages: bool = Field(
        default=False, description="whether programs may import the packages installed here"
    )
    vacuous: bool = Field(default=True, description="whether tests that pass without the program are found")
    own_wordings: tuple[str, ...] = Field(
        (), description="files with the wordings of your own that rows were templated by"
    )

    class Reason(StrEnum):
        """Why a row is rejected or reviewed."""

        BROKEN_TARGET = "broken_target"
        UNREADABLE_REPLY = "unreadable_reply"
        NO_CODE = "no_code"
        BROKEN_CODE = "broken_code"
        FAILED_TEST = "failed_test"
        ERROR = "error"
        OVER_LIMIT = "over_limit"
        VACUOUS_TESTS = "vacuous_tests"
        OTHER_LANGUAGE = "other_language"

    def files(self) -> tuple[str, ...]:
        """Own wordings."""
        return self.own_wordings

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Rows with tests and a reply."""
        return holds(rows["target"], "tests") & has_reply(rows["messages"])

    def found(self, rows: pl.DataFrame, context: Context) -> Iterator[Sequence[Problem]]:
        """What is wrong with each row; some rows share a sandbox, each program has a process of its own."""
        waiting = rows.select(self.reads()).iter_rows(named=True)
        while cases := [self._case(row, context) for row in islice(waiting, _ROWS_AT_ONCE)]:
            # equal programs are run once
            programs = list({each: None for case in cases for each in (*case.programs, *case.without_code)})
            limits = Limits(self.seconds, self.memory_mb, self.file_mb)
            outcome = dict(zip(programs, run(programs, limits, packages=self.packages), strict=True))
            for case in cases:
                passed = [outcome[program] for program in case.programs]
                proved = [outcome[program] for program in case.without_code]
                yield [case.problem] if case.problem else list(self._judged(passed, proved))

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        """What is wrong with one row."""
        yield from next(self.found(pl.DataFrame([row]), context))

    def _case(self, row: Row, context: Context) -> _Case:
        truth = truth_in(row["target"], Tests)
        if isinstance(truth, str) or not truth.tests:
            return _Case(
                problem=Problem(self.Reason.BROKEN_TARGET, truth if isinstance(truth, str) else "no tests")
            )
        if truth.language.lower() not in _PYTHON:
            told = f"the tests are written in {truth.language!r}; python can be run"
            return _Case(problem=Problem(self.Reason.OTHER_LANGUAGE, told))
        reply = reply_of(row["messages"], truth.template, library(context.root, self.own_wordings))
        if isinstance(reply, Unparsed):
            return _Case(problem=Problem(self.Reason.UNREADABLE_REPLY, f"{reply.reason}: {reply.detail}"))
        code = program_of(reply or "")
        if not code.strip():
            return _Case(problem=Problem(self.Reason.NO_CODE, f"the reply holds no Python: {reply!r:.60}"))
        return _Case(
            [(truth.setup, code, test) for test in truth.tests],
            [(truth.setup, test) for test in truth.tests] if self.vacuous else [],
        )

    def _judged(self, passed: Sequence[Outcome], without_code: Sequence[Outcome]) -> Iterator[Problem]:
        for number, outcome in enumerate(passed, 1):
            if outcome.status != "passed":
                told = f"test {number}: {outcome.status}: {outcome.detail}".rstrip(": ")
                yield Problem(self.Reason(_REASONS[outcome.status]), told)
        if without_code and all(outcome.status == "passed" for outcome in without_code):
            yield Problem(self.Reason.VACUOUS_TESTS, f"all {len(passed)} tests pass without the program")


_REASONS = {
    "failed": "failed_test",
    "error": "error",
    "broken": "broken_code",
    "timeout": "over_limit",
    "memory": "over_limit",
    "killed": "over_limit",
}
"""What became of a program → the reason that it is."""


def program_of(reply: str) -> str:
    """The Python of a reply: its fenced blocks together, or all of it where nothing is fenced."""
    blocks = list(code_blocks(reply))
    if not blocks:
        return reply
    return "\n\n".join(block.text for block in blocks if block.language in _PYTHON)
