"""The training loop: epochs of length-bucketed steps, a dev score after each, the best epoch kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import nn

from zhiling.errors import StepFailed
from zhiling.training.examples import EpochRecord, Evaluate, Examples, Progress
from zhiling.training.model import TaskModel
from zhiling.training.reading.features import Prepared
from zhiling.training.running.optimisers import build_optimiser, build_schedule
from zhiling.training.running.precision import autocast
from zhiling.training.running.processes import Processes
from zhiling.training.running.resume import Checkpoint
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Teachable
from zhiling.training.tensors import as_list

BATCHES_PER_BUCKET = 32
"""Texts are sorted by length among this many batches: little padding, and still a random order."""


@dataclass(frozen=True)
class Material:
    """Examples, and what the model needs of each."""

    examples: Examples
    inputs: Prepared
    truths: Sequence[Any] = ()
    """Of training examples, as the loss wants them."""
    beliefs: Sequence[torch.Tensor] = ()
    """What teachers hold likely of training examples; they count as much as the truths."""


@dataclass
class Training:
    """A training as it stands between two epochs."""

    model: TaskModel
    settings: TrainSettings
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    pieces: int
    """In how many micro-batches a batch is computed; doubled where memory ran out."""
    history: list[EpochRecord] = field(default_factory=list[EpochRecord])
    best: Mapping[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    """The tuned weights of the best epoch."""
    processes: Processes = field(default_factory=Processes)

    @classmethod
    def start(
        cls, model: TaskModel, settings: TrainSettings, examples: int, processes: Processes | None = None
    ) -> Training:
        """The training before its first epoch."""
        optimiser = build_optimiser(model, settings)
        steps = settings.epochs * math.ceil(examples / settings.batch_size)
        schedule = build_schedule(optimiser, steps, warmup=settings.warmup, schedule=settings.schedule)
        best = model.copies(model.tuned_names())
        alone = Processes()
        return cls(
            model, settings, optimiser, schedule, settings.accumulate, best=best, processes=processes or alone
        )

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept; 0 before the first."""
        return max((record.epoch for record in self.history if record.best), default=0)

    @property
    def over(self) -> bool:
        """Whether no further epoch is due."""
        done = len(self.history)
        return done >= self.settings.epochs or (done > 0 and done - self.best_epoch >= self.settings.patience)

    def record(self, loss: float, score: float) -> EpochRecord:
        """Writes an epoch down; of equal scores the later is the better, as it has learnt more."""
        best = score >= max((record.dev_score for record in self.history), default=-math.inf)
        self.history.append(EpochRecord(len(self.history) + 1, loss, score, best=best, pieces=self.pieces))
        if best:
            self.best = self.model.copies(self.best.keys())
        return self.history[-1]


def run_epochs(
    training: Training,
    material: tuple[Material, Material],
    evaluate: Evaluate,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[EpochRecord, ...]:
    """The record of each epoch; afterwards the model has the weights of the best one, the last of equal ones.

    Randomness comes from torch's generator as the caller seeded it.

    Args:
        training: where it stands; its model is changed.
        material: the training examples and the dev examples.
        evaluate: (truth, predicted) → score, higher is better.
        progress: called with the record of each epoch.
        checkpoint: where each finished epoch is stored, and an earlier process left off.

    Raises:
        StepFailed: the loss or the dev score is NaN or infinite.
    """
    train, dev = material
    model, settings = training.model, training.settings
    model.precision = settings.precision  # dev rows are read as training rows are
    if checkpoint:
        checkpoint.restore(training)
    while not training.over:
        model.begin_epoch(len(training.history) + 1, settings)
        loss = run_epoch(training, train)
        record = training.record(loss, dev_score(training, dev, evaluate))
        if checkpoint:
            checkpoint.store(training)
        if progress and training.processes.first:
            progress(record)
    model.load_state_dict(training.best, strict=False)
    model.precision = "fp32"
    model.settle()
    model.eval()
    return tuple(training.history)


def run_epoch(training: Training, train: Material) -> float:
    """The mean loss per example of one pass over the training texts.

    Raises:
        StepFailed: the loss is NaN or infinite.
    """
    model, settings, processes = training.model, training.settings, training.processes
    model.train()
    total = 0.0
    batches = list(bucketed_batches(train.inputs.lengths(), settings.batch_size))
    for rows in processes.from_first(batches):
        loss = processes.total(_accumulate(training, train, rows))
        _refuse_non_finite(loss, "loss")
        processes.add_gradients(model.parameters())
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        training.optimiser.step()
        training.schedule.step()
        total += loss * len(rows)
    return total / len(train.examples)


def _accumulate(training: Training, train: Material, rows: Sequence[int]) -> float:
    """What this process adds to the batch's loss and gradient; in more pieces where memory runs out.

    The gradient, added up over the processes, is that of the whole batch, whatever the number of pieces.

    Raises:
        StepFailed: a single example needs more memory than there is.
    """
    own = training.processes.share(rows)
    while True:
        training.optimiser.zero_grad()
        try:
            return sum(_backward(training, train, piece, rows) for piece in _split(own, training.pieces))
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if training.pieces >= len(own):
                raise StepFailed(
                    "a single training example needs more memory than there is",
                    hint="Lower max_tokens, or tune less: method: top_layers or lora.",
                ) from error
            training.pieces *= 2


def _backward(training: Training, train: Material, piece: Sequence[int], rows: Sequence[int]) -> float:
    """What a piece of a batch adds to its loss; the gradient is added too."""
    task = training.model.task
    truths = [train.truths[row] for row in piece]
    with autocast(training.settings.precision):
        outputs = training.model(train.inputs.piece(piece, rows))
        share = 1.0
        if len(piece) < len(rows):
            share = task.weight(truths) / task.weight([train.truths[row] for row in rows])
        loss = task.loss(outputs, truths) * share
        if train.beliefs:
            taught = cast(Teachable, task).loss_to(outputs, [train.beliefs[row] for row in piece]) * share
            loss = (loss + taught) / 2
    loss.backward()  # pyright: ignore[reportUnknownMemberType]
    return loss.item()


def _split(rows: Sequence[int], pieces: int) -> list[Sequence[int]]:
    """The rows in as many pieces of about one size."""
    size = max(1, math.ceil(len(rows) / pieces))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def dev_score(training: Training, dev: Material, evaluate: Evaluate) -> float:
    """What `evaluate` gives on the dev examples; each process answers its share of them.

    Raises:
        StepFailed: the score is NaN or infinite: no epoch could be chosen by it.
    """
    processes = training.processes
    rows = processes.share(range(len(dev.examples)))
    inputs = [dev.examples.inputs[row] for row in rows]
    training.model.settle()
    told = training.model.answers(inputs, dev.inputs.take(rows), training.settings.batch_size)
    answers = processes.whole([answer.text for answer in told])
    score = processes.from_first(float(evaluate(dev.examples.targets, answers)) if processes.first else 0.0)
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
    return as_list(torch.randperm(count))


def _refuse_non_finite(value: float, what: str) -> None:
    """Stops a training that has lost its way."""
    if not math.isfinite(value):
        raise StepFailed(
            f"training stopped: the {what} became {value!r}; it must be a finite number",
            hint="Lower learning_rate (and encoder_learning_rate), or clip_norm.",
        )
