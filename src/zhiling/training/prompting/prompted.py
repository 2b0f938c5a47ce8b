"""A task answered from prompts: made from training rows without tuning, and used like any tuned model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.training.answers.ranking import pool_of
from zhiling.training.examples import EpochRecord, Evaluate, Examples, Predictions
from zhiling.training.inputs import Input, text_input
from zhiling.training.prompting.demonstrations import Demonstrations
from zhiling.training.prompting.encoder import encoder_of
from zhiling.training.prompting.mentions import Mentions
from zhiling.training.prompting.nearness import Nearness
from zhiling.training.prompting.pieces import Pieces
from zhiling.training.prompting.settings import PromptSettings
from zhiling.training.prompting.verbaliser import Verbaliser
from zhiling.training.prompting.way import LABEL_TASKS, Known, Way
from zhiling.training.settings import TrainSettings

INPUTS_PER_CHUNK = 512
"""Answered at once: their cosines to all demonstrations are held in memory."""
_MENTIONED = ("ner", "relation", "relation_classification")
_READ_ALONE = ("choice", "extractive_qa", "matching")
_UNCALIBRATED = ("regression", "matching", *_MENTIONED)
_NEAR = (*LABEL_TASKS, "regression", *_READ_ALONE, *_MENTIONED)


@dataclass(frozen=True)
class Prompted:
    """A model without weights of its own.

    Attributes:
        settings: of the training, with its section `prompting`.
        seed: of demonstrations that are chosen at random.
        known: what it took from the training rows.
        dev_score: what `evaluate` gave on the dev examples; NaN where there are none.
        unseen: what the dev examples hold that it can never answer, with counts.
    """

    settings: TrainSettings
    seed: int
    known: Known
    dev_score: float = float("nan")
    unseen: Mapping[str, int] = field(default_factory=dict[str, int])
    history: tuple[EpochRecord, ...] = ()
    choice: Mapping[str, object] = field(default_factory=dict[str, object])

    def predict(self, inputs: Sequence[Input | str], batch_size: int = 64) -> Predictions:
        """The answers to any number of inputs, in their order; a text stands for an input of that text."""
        turns = [text_input(each) if isinstance(each, str) else each for each in inputs]
        self.known.notes.clear()
        found = [
            answer
            for start in range(0, len(turns), INPUTS_PER_CHUNK)
            for answer in self._way.answers(turns[start : start + INPUTS_PER_CHUNK])
        ]
        return Predictions.of(found, self.known.classes, dict(+self.known.notes))

    def answer(self, examples: Examples, batch_size: int = 64) -> Predictions:
        """The answers to examples, in their order."""
        return self.predict(examples.inputs, batch_size)

    def save(
        self,
        folder: Path,
        metrics: Mapping[str, object] | None = None,
        origin: Mapping[str, object] | None = None,
    ) -> None:
        """Writes prompts, demonstrations, verbaliser and references to a folder, whole or not at all.

        Args:
            folder: is made, with its parents; a model that lay there is replaced.
            metrics: JSON values to keep beside them.
            origin: where the demonstrations come from: `licences`, `templates` and `recipe`.

        Raises:
            StepFailed: the disk is full, or the folder cannot be written.
        """
        from zhiling.training.prompting.saved import write

        write(self, folder, {"metrics": dict(metrics or {}), "origin": dict(origin or {})})

    @cached_property
    def _way(self) -> Way:
        settings = self.known.settings
        if settings.model is None:
            encode = encoder_of(self.settings).encode
            task = self.known.task
            way = Mentions if task in _MENTIONED else Pieces if task in _READ_ALONE else Nearness
            return way(self.known, encode)
        from zhiling.training.prompting.asking import Asking
        from zhiling.training.prompting.language_model import local_model

        near = self.known.demonstrations.by_nearness
        return Asking(self.known, local_model(settings), encoder_of(self.settings).encode if near else None)


def prompt(
    settings: TrainSettings, parts: tuple[Examples, Examples], *, seed: int, evaluate: Evaluate | None
) -> Prompted:
    """A model that answers from prompts; nothing is tuned.

    Args:
        settings: with a section `prompting`.
        parts: examples to demonstrate by, and examples that give the dev score.
        seed: of random choices.
        evaluate: (truth, predicted) → score, higher is better; None: no dev score.

    Raises:
        UsageError: settings that do not fit together, or no rows to demonstrate by.
        MissingInput: a model or a file is not there.
    """
    asked = settings.prompting
    assert asked is not None
    train, dev = parts
    _refuse(settings.task, asked)
    numbers = tuple(sorted(map(float, train.targets))) if settings.task == "regression" else ()
    answers = pool_of(train.targets) if settings.task == "matching" else ()
    labels = [name for examples in parts for name in _names(settings.task, examples.targets)]
    verbaliser = Verbaliser.of(labels, asked.label_names)
    demonstrations = Demonstrations.of(train, asked, seed)
    found = Prompted(
        settings, seed, Known(settings.task, asked, verbaliser, demonstrations, numbers, answers)
    )
    if evaluate is None or not len(dev):
        return found
    score = float(evaluate(dev.targets, found.predict(dev.inputs).answers))
    return Prompted(settings, seed, found.known, score)


def _refuse(task: str, settings: PromptSettings) -> None:
    """What makes no sense over an encoder."""
    if settings.model is not None:
        return
    if task not in _NEAR:
        raise UsageError(
            f"an encoder alone has no answer to task {task!r}", hint=f"It answers {', '.join(_NEAR)}."
        )
    if task in _READ_ALONE and settings.demonstrations:
        raise UsageError(
            f"task {task!r} over an encoder: what is near to a question says nothing about others, so "
            f"{settings.demonstrations} demonstrations have no use",
            hint="Set shots: 0, or name a language model (prompting.model).",
        )
    if task in _UNCALIBRATED and settings.calibrate:
        raise UsageError(
            f"task {task!r} over an encoder has no candidates whose shares could be calibrated",
            hint="Set calibrate: false.",
        )


def _names(task: str, spelled: Iterable[str]) -> Iterable[str]:
    """The labels, types or relations that targets name."""
    for target in spelled:
        if task in ("classification", "ordinal"):
            yield target
        elif task == "multi_label":
            yield from targets.Labels.model_validate_json(target).labels
        elif task == "ner":
            yield from (span.label for span in targets.Entities.model_validate_json(target).spans)
        elif task in ("relation", "relation_classification"):
            yield from (each.relation for each in targets.Relations.model_validate_json(target).relations)
