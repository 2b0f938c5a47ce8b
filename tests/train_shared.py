"""Trainings of a tiny model, in one process or in several: `python train_shared.py BACKBONE FOLDER`.

Run as a script it prints, for each of `WAYS`, the curve and a sum of the weights; and of a training with
dropout the same twice: whole, and stopped after two epochs and gone on with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.labelled_rows import accuracy, labelled
from zhiling.training import TrainSettings
from zhiling.training.fit import fit
from zhiling.training.running import resume
from zhiling.training.running.loop import Training
from zhiling.training.running.processes import together

ROWS = labelled()
WAYS = ("full", "gradual")


def trained(
    backbone: str, method: str, dropout: float = 0.0, checkpoint: resume.Checkpoint | None = None
) -> dict[str, Any]:
    """Curve and sum of weights; batches of 47 and 1, so that one process has an empty share."""
    settings = TrainSettings.model_validate(
        {
            "features": "both", "backbone": backbone, "method": method, "layers": 1, "epochs": 4,
            "patience": 9, "batch_size": 47, "dropout": dropout, "encoder_dropout": 0.0,
        }
    )  # fmt: skip
    with together():
        found = fit(settings, (ROWS, ROWS), seed=5, evaluate=accuracy, checkpoint=checkpoint)
    weights = sum(weight.detach().double().abs().sum().item() for weight in found.model.parameters())
    return {"curve": [[each.loss, each.dev_score] for each in found.history], "weights": weights}


class _Stopping(resume.Checkpoint):
    """Ends the training behind its second epoch, in every process."""

    def store(self, training: Training) -> None:
        super().store(training)
        if len(training.history) == 2:
            raise KeyboardInterrupt


def stopped(backbone: str, file: Path) -> dict[str, Any]:
    """A training that was stopped and gone on with."""
    try:
        trained(backbone, "full", 0.2, _Stopping(file, "key"))
    except KeyboardInterrupt:
        return trained(backbone, "full", 0.2, resume.Checkpoint(file, "key"))
    raise AssertionError("the training was not stopped")


if __name__ == "__main__":
    resume.SECONDS_BETWEEN = 0.0
    backbone, folder = sys.argv[1:]
    ways = {method: trained(backbone, method) for method in WAYS}
    whole = trained(backbone, "full", 0.2)
    sys.stdout.write(json.dumps([ways, whole, stopped(backbone, Path(folder) / "training.pt")]))
