"""The error tree: every error that a user can cause or mend, with its exit code.

    ZhilingError               2
    ├── UsageError             2   wrong command line or setting
    │   ├── RecipeError        2   a recipe with one or more problems, each with its place
    │   └── UnknownName        2   a name that no registry holds, with the nearest one
    ├── MissingInput           3   a file, folder or model that is not there
    │   └── MissingExtra       3   an optional dependency that is not installed
    ├── DamagedFile            3   a file of a run or a model that cannot be read back
    ├── RunBusy                3   another process works in the same project
    ├── StepFailed             1   a step that could not finish
    │   └── TooManyFailures    1   more failed rows than `max_failed` allows
    ├── GateFailed             1   a gate said no
    ├── Paused                 4   the run can go on later
    │   ├── BudgetReached      4   a hard limit
    │   │   └── TimeUp         4   the limit of minutes, which count anew when the run goes on
    │   └── AwaitingBatch      4   answers to a batch file have not come yet
    └── Interrupted          130   Ctrl-C: paused, resumable

The command line prints them without a traceback; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import ClassVar


class ZhilingError(Exception):
    """Where · what was wrong with which value · what is allowed · what to do.

    Args:
        message: what was wrong, with the offending value.
        place: `file:line:col` or a path, put in front of the message.
        hint: what to do about it, put behind the message.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        self.message, self.place, self.hint = message, place, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        return f"{head}\n  → {self.hint}" if self.hint else head


class UsageError(ZhilingError):
    """A command line or a setting that cannot be carried out as given."""


class RecipeError(UsageError):
    """All problems of one recipe at once."""

    def __init__(self, problems: Sequence[UsageError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class UnknownName(UsageError):
    """Value X is not one of the names that are known here."""

    def __init__(self, noun: str, value: str, known: Iterable[str], *, place: str | None = None) -> None:
        names = sorted(known)
        super().__init__(f"unknown {noun} {value!r}", place=place, hint=did_you_mean(value, names))


class MissingInput(ZhilingError):
    """Something outside is missing: a file, a model, a source that matches nothing."""

    exit_code = 3


class MissingExtra(MissingInput):
    """An optional dependency is not installed; names the one command that installs it."""

    def __init__(self, extra: str, module: str) -> None:
        super().__init__(f"module {module!r} is not installed", hint=f'pip install "zhiling[{extra}]"')


class DamagedFile(ZhilingError):
    """A file of a run or a saved model that cannot be read back."""

    exit_code = 3


class RunBusy(ZhilingError):
    """Another process holds the project's lock."""

    exit_code = 3


class StepFailed(ZhilingError):
    """A step could not finish its work."""

    exit_code = 1


class TooManyFailures(StepFailed):
    """More rows failed than `max_failed` allows."""


class GateFailed(ZhilingError):
    """A gate of the recipe said no."""

    exit_code = 1


class Paused(ZhilingError):
    """The run stopped where it can go on."""

    exit_code = 4


class BudgetReached(Paused):
    """A hard limit was reached; the run is paused and can go on."""


class TimeUp(BudgetReached):
    """The minutes of the budget are over; they count anew when the run goes on."""


class AwaitingBatch(Paused):
    """Requests stand in a batch file whose answers have not come; the run goes on when they are read."""


class Interrupted(ZhilingError):
    """The user pressed Ctrl-C; the run is paused and can go on."""

    exit_code = 130


def did_you_mean(value: str, known: Sequence[str]) -> str:
    """A hint with the nearest known name, or all of them where none is near."""
    near = difflib.get_close_matches(value, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
