"""One command in several processes: the first runs it, and the others take part where a model is trained.

A command under `torchrun` is started once per process. Rows may be brought up to date by one of them only, so
the others wait until the first says what is to be trained, train it with it, and wait again.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from zhiling.training.examples import Examples
from zhiling.training.running.processes import Processes
from zhiling.training.settings import TrainSettings

Job = tuple[TrainSettings, tuple[Examples, Examples], int, tuple[Path, str] | None]
"""Settings, parts, seed and checkpoint of a training."""

_led: list[Processes] = []
"""Those that this process leads, while it does."""


@contextmanager
def leading() -> Generator[bool]:
    """Whether this process is to go on with its command; where not, it has taken part until that ended.

    Always True where it is alone. Where the first process fails, whatever started them ends the others.
    """
    processes = Processes.started()
    if not processes.first:
        _take_part(processes)
        yield False
        return
    _led.append(processes)
    try:
        yield True
    finally:
        _led.pop()
    processes.from_first(None)


def announce(job: Job) -> None:
    """Tells those that are led what is to be trained."""
    for processes in _led:
        processes.from_first(job)


def _take_part(processes: Processes) -> None:
    """Trains what the first process announces, until it announces no more."""
    from zhiling.training import train

    while job := processes.from_first(cast(Job | None, None)):
        settings, parts, seed, checkpoint = job
        train(settings, parts, seed=seed, evaluate=_by_first, checkpoint=checkpoint)


def _by_first(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Never asked: the first process alone compares answers."""
    raise RuntimeError(f"{len(truth)} truths and {len(predicted)} answers came to a process that is led")
