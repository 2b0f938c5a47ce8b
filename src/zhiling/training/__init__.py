"""Rows to a tuned model: `train` fits one, `load` reads a saved one, `Trained` predicts.

Torch is imported when one of the two is called, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zhiling.llm.pretrained import require
from zhiling.training.examples import EpochRecord, Evaluate, Examples, Predictions, Progress
from zhiling.training.label_names import nearest_label_name
from zhiling.training.settings import TrainSettings

if TYPE_CHECKING:
    from zhiling.training.trained import Trained

__all__ = [
    "EpochRecord",
    "Evaluate",
    "Examples",
    "Predictions",
    "Progress",
    "TrainSettings",
    "load",
    "nearest_label_name",
    "train",
]


def train(
    settings: TrainSettings,
    train: Examples,
    dev: Examples,
    *,
    seed: int,
    evaluate: Evaluate,
    progress: Progress | None = None,
) -> Trained:
    """A model fitted to `train`, from the epoch with the best score on `dev`.

    Args:
        settings: what to train and how.
        train: the examples that the model sees.
        dev: the examples that choose the epoch.
        seed: decides initial weights, order and dropout; equal seeds give equal models.
        evaluate: (truth, predicted) → score, higher is better.
        progress: called with the record of each epoch.

    Raises:
        MissingExtra: torch or transformers is not installed.
        UsageError: no examples, fewer than two labels, or settings that do not fit together.
        StepFailed: the loss or the score became NaN or infinite.
    """
    require("torch")
    from zhiling.training.fit import fit

    return fit(settings, train, dev, seed=seed, evaluate=evaluate, progress=progress)


def load(folder: Path, *, backbone: str | None = None) -> Trained:
    """The model that `Trained.save` wrote to the folder.

    Args:
        folder: the saved model.
        backbone: where the frozen encoder lies now, if not where it lay when the model was saved.

    Raises:
        MissingExtra: torch or transformers is not installed.
        MissingInput: the folder, or the frozen encoder that it names, is not there.
        DamagedFile: a file is missing, cannot be read, or does not fit the others.
    """
    require("torch")
    from zhiling.training.checkpoints import read

    return read(folder, backbone)
