"""Rows to a model of a task: `train` fits one, `load` reads a saved one, both are `Fitted` and predict.

Torch is imported when one of the two is called, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zhiling.errors import UsageError
from zhiling.llm.pretrained import require
from zhiling.pipeline.registry import load as load_component
from zhiling.training.examples import Answer, EpochRecord, Evaluate, Examples, Predictions, Progress
from zhiling.training.inputs import Input, text_input
from zhiling.training.settings import Precision, TrainSettings

if TYPE_CHECKING:
    from zhiling.training.fitted import Fitted
    from zhiling.training.tasks.task import Task
    from zhiling.training.trained import Trained

__all__ = [
    "Answer",
    "EpochRecord",
    "Evaluate",
    "Examples",
    "Input",
    "Predictions",
    "Progress",
    "TrainSettings",
    "choosing_from",
    "load",
    "load_tuned",
    "task_class",
    "text_input",
    "train",
]


def task_class(name: str) -> type[Task]:
    """The task of this name; its class says which targets are its own.

    Raises:
        UnknownName: there is none.
        MissingExtra: torch is not installed.
    """
    require("torch")
    return load_component("task", name)


def train(
    settings: TrainSettings,
    parts: tuple[Examples, Examples],
    *,
    seed: int,
    evaluate: Evaluate,
    progress: Progress | None = None,
    checkpoint: tuple[Path, str] | None = None,
) -> Fitted:
    """A model fitted to the first part, from the epoch with the best score on the second.

    With `settings.few_labels` it learns from the first part's `unlabelled` inputs too, as far as that helps;
    the second part only gives the dev score, and no file of `checkpoint` is written.

    With `settings.prompting` nothing is fitted: the first part demonstrates, the second gives the dev score.

    Under `torchrun` or `accelerate launch` every process calls it, and gets the model of all: a batch is
    shared among them, and the first alone evaluates, tells of progress and writes.

    Args:
        settings: what to train and how.
        parts: the examples that the model sees, and those that choose the epoch (dev).
        seed: decides initial weights, order and dropout; equal seeds give equal models.
        evaluate: (truth, predicted) → score, higher is better.
        progress: called with the record of each epoch.
        checkpoint: a file that is written after each epoch, and the key of this very training: where the
            file holds a state with that key, the training goes on from it.

    Raises:
        MissingExtra: torch or transformers is not installed.
        UsageError: no examples, fewer than two labels, or settings that do not fit together.
        StepFailed: the loss or the score became NaN or infinite.
    """
    require("torch")
    if settings.prompting is not None:
        from zhiling.training.prompting.prompted import prompt

        return prompt(settings, parts, seed=seed, evaluate=evaluate)
    if settings.few_labels is not None:
        from zhiling.training.few_labels.fit import fit_few

        return fit_few(settings, parts, seed=seed, evaluate=evaluate, progress=progress)
    from zhiling.training.fit import fit
    from zhiling.training.running.led import announce
    from zhiling.training.running.processes import together
    from zhiling.training.running.resume import Checkpoint

    announce((settings, parts, seed, checkpoint))
    resume = Checkpoint(*checkpoint) if checkpoint else None
    with together():
        return fit(settings, parts, seed=seed, evaluate=evaluate, progress=progress, checkpoint=resume)


def load(folder: Path, *, backbone: str | None = None, precision: Precision = "fp32") -> Fitted:
    """The model that `Fitted.save` wrote to the folder.

    Args:
        folder: the saved model.
        backbone: where the frozen encoder lies now, if not where it lay when the model was saved.
        precision: at which a tuned encoder reads; auto: bf16 where a trial finds it faster. In bf16 scores
            differ in the third digit.

    Raises:
        MissingExtra: torch or transformers is not installed.
        MissingInput: the folder, or the frozen encoder that it names, is not there.
        DamagedFile: a file is missing, cannot be read, or does not fit the others.
    """
    require("torch")
    from zhiling.training.prompting import saved

    if saved.is_prompted(folder):
        return saved.read(folder, backbone)
    from zhiling.training.saving.checkpoints import read

    found = read(folder, backbone)
    found.model.precision = precision
    return found


def load_tuned(folder: Path, *, backbone: str | None = None) -> Trained:
    """The model in the folder, with weights and a head that can be looked into; otherwise as `load`.

    Raises:
        UsageError: it answers from prompts.
    """
    from zhiling.training.trained import Trained

    found = load(folder, backbone=backbone)
    if not isinstance(found, Trained):
        raise UsageError(
            "this model answers from prompts: it has no weights of its own to look into", place=str(folder),
            hint="Train one: leave `train.prompting` out.",
        )  # fmt: skip
    return found


def choosing_from(model: Fitted, answers: Sequence[str]) -> Fitted:
    """A model of matching that chooses among other answers than those of its training rows.

    Args:
        model: is left as it is.
        answers: the candidates; empty lines are passed over, equal ones count once.

    Raises:
        UsageError: the model does not match answers, or there is none.
    """
    from zhiling.training.answers.choosing import with_answers

    pool = tuple(dict.fromkeys(answer.strip() for answer in answers if answer.strip()))
    if model.settings.task != "matching" or not pool:
        raise UsageError(
            f"{len(pool)} answers to choose from, for a model of task {model.settings.task!r}",
            hint="Candidates are for task matching, one at least.",
        )
    return with_answers(model, pool)
