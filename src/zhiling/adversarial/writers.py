"""Which generators still write, and which can't: their model is away, it refuses, the budget is used up.

`propose` leaves a file in its folder of the round: who was asked, and who failed for good. `accept` reads it
there, and leaves one of the generators that its guards dropped. Who is in either is not asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from zhiling.adversarial.guards.rounds import Cause
from zhiling.errors import BudgetReached, MissingInput, TimeUp, UsageError
from zhiling.pipeline.step import State

LASTING = (MissingInput, UsageError, BudgetReached)
"""Errors after which every further call of a generator would fail the same way in this run."""
_WRITERS, _DROPPED = "writers.json", "dropped.json"


def cause_of(error: Exception) -> Cause:
    """Why a generator can't write any more, by one of the errors in `LASTING`.

    Raises:
        TimeUp: it was that; the run pauses, and its minutes count anew when it goes on.
    """
    if isinstance(error, TimeUp):
        raise error
    if isinstance(error, BudgetReached):
        return "budget"
    return "away" if isinstance(error, MissingInput) else "refused"


@dataclass(frozen=True)
class Writers:
    """The generators of a round.

    Attributes:
        asked: those that were neither dropped nor gone when it began.
        gone: of them, those that failed for good, and why.
    """

    asked: tuple[str, ...]
    gone: Mapping[str, Cause]

    @property
    def left(self) -> int:
        """How many can go on writing."""
        return len(self.asked) - len(self.gone)

    def write(self, folder: Path) -> None:
        """Leaves it in the folder of a round, in the place of what a run that was killed here left."""
        (folder / _WRITERS).write_bytes(orjson.dumps({"asked": self.asked, "gone": self.gone}))

    @classmethod
    def of_round(cls, states: Iterable[State], number: int) -> Writers | None:
        """What `propose` left in this round; None where its rows were carried over from an earlier run."""
        return next((found for state in states if state.round == number if (found := _read(state))), None)


def write_dropped(names: Sequence[str], folder: Path) -> None:
    """Leaves in the folder of a round which generators its guards dropped."""
    (folder / _DROPPED).write_bytes(orjson.dumps(names))


def out(states: Iterable[State]) -> set[str]:
    """The generators that were dropped, or gone, in any of these rounds."""
    found: set[str] = set()
    for state in states:
        told = _read(state)
        found |= set(told.gone) if told else set[str]()
        if (path := state.folder / _DROPPED).is_file():
            found |= set(orjson.loads(path.read_bytes()))
    return found


def _read(state: State) -> Writers | None:
    path = state.folder / _WRITERS
    if not path.is_file():
        return None
    told = orjson.loads(path.read_bytes())
    return Writers(tuple(told["asked"]), told["gone"])
