"""The training loop: epochs of length-bucketed steps, a dev score after each, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from zhiling.errors import StepFailed
from zhiling.training.examples import EpochRecord, Evaluate, Examples, Progress
from zhiling.training.features import Prepared
from zhiling.training.model import TaskModel
from zhiling.training.optimisers import build_optimiser, build_schedule
from zhiling.training.settings import TrainSettings

BATCHES_PER_BUCKET = 32
"""Texts are sorted by length among this many batches: little padding, and still a random order."""


@dataclass(frozen=True)
class Material:
    """Examples, and what the model needs of each."""

    examples: Examples
    inputs: Prepared
    truths: Sequence[Any] = ()
    """Of training examples, as the loss wants them."""


def run_epochs(
    model: TaskModel,
    settings: TrainSettings,
    material: tuple[Material, Material],
    evaluate: Evaluate,
    progress: Progress | None = None,
) -> tuple[EpochRecord, ...]:
    """The record of each epoch; afterwards the model has the weights of the best one, the last of equal ones.

    Randomness comes from torch's generator as the caller seeded it.

    Args:
        model: is changed.
        settings: epochs, batches, rates.
        material: the training examples and the dev examples.
        evaluate: (truth, predicted) → score, higher is better.
        progress: called with the record of each epoch.

    Raises:
        StepFailed: the loss or the dev score is NaN or infinite.
    """
    train, dev = material
    optimiser = build_optimiser(model, settings)
    steps = settings.epochs * math.ceil(len(train.examples) / settings.batch_size)
    schedule = build_schedule(optimiser, steps, settings.warmup)
    history: list[EpochRecord] = []
    best_score, best_epoch, best_weights = -math.inf, 0, model.tuned_state()
    for epoch in range(1, settings.epochs + 1):
        loss = run_epoch(model, settings, train, (optimiser, schedule))
        score = dev_score(model, settings, dev, evaluate)
        if score >= best_score:  # a small dev part ties often; of equal epochs the later one has learnt more
            best_score, best_epoch, best_weights = score, epoch, model.tuned_state()
        history.append(EpochRecord(epoch, loss, score, best=epoch == best_epoch))
        if progress:
            progress(history[-1])
        if epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(best_weights, strict=False)
    model.eval()
    return tuple(history)


def run_epoch(
    model: TaskModel,
    settings: TrainSettings,
    train: Material,
    moves: tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler],
) -> float:
    """The mean loss per example of one pass over the training texts.

    Raises:
        StepFailed: the loss is NaN or infinite.
    """
    optimiser, schedule = moves
    model.train()
    total = 0.0
    for rows in bucketed_batches(train.inputs.lengths(), settings.batch_size):
        outputs = model(train.inputs.take(rows))
        loss = model.task.loss(outputs, [train.truths[row] for row in rows])
        _refuse_non_finite(loss.item(), "loss")
        optimiser.zero_grad()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimiser.step()
        schedule.step()
        total += loss.item() * len(rows)
    return total / len(train.examples)


def dev_score(model: TaskModel, settings: TrainSettings, dev: Material, evaluate: Evaluate) -> float:
    """What `evaluate` gives on the dev examples.

    Raises:
        StepFailed: the score is NaN or infinite: no epoch could be chosen by it.
    """
    told = model.answers(dev.examples.inputs, dev.inputs, settings.batch_size)
    score = float(evaluate(dev.examples.targets, [answer.text for answer in told]))
    _refuse_non_finite(score, "dev score")
    return score


def bucketed_batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Row numbers in batches of like length: each row once, in an order that torch's generator decides."""
    order = _shuffled(len(lengths))
    bucket = batch_size * BATCHES_PER_BUCKET
    batches: list[list[int]] = []
    for start in range(0, len(order), bucket):
        rows = sorted(order[start : start + bucket], key=lengths.__getitem__)
        batches += [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    for place in _shuffled(len(batches)):
        yield batches[place]


def _shuffled(count: int) -> list[int]:
    """The numbers from 0 to `count` - 1 in an order that torch's generator decides."""
    return cast(list[int], torch.randperm(count).tolist())  # pyright: ignore[reportUnknownMemberType]


def _refuse_non_finite(value: float, what: str) -> None:
    """Stops a training that has lost its way."""
    if not math.isfinite(value):
        raise StepFailed(
            f"training stopped: the {what} became {value!r}; it must be a finite number",
            hint="Lower learning_rate (and encoder_learning_rate), or clip_norm.",
        )
