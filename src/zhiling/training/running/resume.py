"""A training on disk between two epochs: killed at any moment, it goes on to the very same weights."""

from __future__ import annotations

import dataclasses
import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zhiling.training.examples import EpochRecord
from zhiling.training.saving.weight_files import writing_weights

if TYPE_CHECKING:
    from zhiling.training.running.loop import Training


SECONDS_BETWEEN = 20.0
"""A state is written no oftener: it holds the tuned weights four times, and epochs may be short."""


@dataclass
class Checkpoint:
    """One file, replaced after an epoch.

    Attributes:
        file: where it lies.
        key: of all that shapes the training; a file with another key is not gone on with.
        written: when a state was written last; at first, when the training began.
    """

    file: Path
    key: str
    written: float = field(default_factory=time.monotonic)

    def store(self, training: Training) -> None:
        """Writes the state beside the file first, and then puts it in its place, where one is due.

        Raises:
            StepFailed: the disk is full, or the folder cannot be written.
        """
        processes = training.processes
        if not processes.from_first(time.monotonic() - self.written >= SECONDS_BETWEEN):
            return
        random = processes.of_all(torch.get_rng_state())
        if processes.first:
            self._write(training, random)
        self.written = time.monotonic()

    def _write(self, training: Training, random: list[torch.Tensor]) -> None:
        """Writes the state, with the random state of each process."""
        state = {
            "key": self.key,
            "weights": training.model.copies(training.best.keys()),
            "best": dict(training.best),
            "optimiser": training.optimiser.state_dict(),
            "schedule": training.schedule.state_dict(),
            "pieces": training.pieces,
            "random": random,
            "history": [dataclasses.asdict(record) for record in training.history],
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        try:
            with writing_weights(self.file):
                torch.save(state, fresh)
                with fresh.open("rb") as written:
                    os.fsync(written.fileno())
                fresh.replace(self.file)
        finally:
            fresh.unlink(missing_ok=True)

    def restore(self, training: Training) -> bool:
        """Whether there was a state to go on with.

        One that cannot be read counts as none, and so does that of another number of processes: dropout
        would go on otherwise.
        """
        processes = training.processes
        state = processes.from_first(self._read() if processes.first else None)
        if state is None or state.get("key") != self.key or len(state["random"]) != processes.count:
            return False
        training.model.load_state_dict(state["weights"], strict=False)
        training.best = state["best"]
        training.optimiser.load_state_dict(state["optimiser"])
        training.schedule.load_state_dict(state["schedule"])
        training.pieces = state["pieces"]
        training.history = [EpochRecord(**record) for record in state["history"]]
        torch.set_rng_state(state["random"][processes.number])
        return True

    def _read(self) -> dict[str, Any] | None:
        try:
            return torch.load(self.file, weights_only=True)
        except FileNotFoundError:
            return None
        except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError):
            return None  # damaged: the training begins anew, with the same result
