"""A fitted model: predicts, and saves itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zhiling.training.documents import Documents, Messages
from zhiling.training.examples import Answer, EpochRecord, Examples, Predictions
from zhiling.training.inputs import Input, text_input
from zhiling.training.model import TaskModel
from zhiling.training.running.processes import Processes
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Task

INPUTS_PER_CHUNK = 8192
"""Prepared at once, so that memory does not grow with the number of inputs; equal ones are read once."""
BATCH = 32
"""Inputs computed together. Texts of 15 tokens went through MiniLM at 195 a second in batches of 32, and at
120 in batches of 256, which leave the processor's caches."""


@dataclass(frozen=True)
class Trained:
    """A model with all that says where it comes from."""

    settings: TrainSettings
    task: Task
    model: TaskModel
    seed: int
    history: tuple[EpochRecord, ...]
    unseen: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the dev examples hold that the model can never answer (labels unseen in training, for example),
    what the training examples say in two ways, and how many are too long; with counts."""
    rows: int = 0
    """How many examples it learnt from; 0 in models saved before this was kept."""
    data: str = ""
    """A hash of these examples: their ids, inputs and targets."""
    choice: Mapping[str, object] = field(default_factory=dict[str, object])
    """With `few_labels`: the plan that was followed, why, and what each candidate scored."""

    def predict(self, inputs: Sequence[Input | str], batch_size: int = BATCH) -> Predictions:
        """The answers to any number of inputs, in their order; a text stands for an input of that text.

        Of a model that reads rows of a document together, an input is a document: its messages are the rows.
        """
        given = [text_input(each) if isinstance(each, str) else each for each in inputs]
        if self.settings.context == 1:
            return Predictions.of(self._answers(given, batch_size), self.task.classes)
        pieces = Messages.of(given, self.settings.context)
        answers = pieces.whole(self._answers(pieces.inputs, batch_size))
        return Predictions.of(answers, self.task.classes)

    def answer(self, examples: Examples, batch_size: int = BATCH) -> Predictions:
        """The answers to examples, in their order; rows of a group are read as the model learnt them."""
        if self.settings.context == 1:
            return self.predict(examples.inputs, batch_size)
        documents = Documents.of(examples, self.settings.context)
        answers = documents.by_row(self._answers(documents.inputs, batch_size))
        return Predictions.of(answers, self.task.classes)

    def _answers(self, inputs: Sequence[Input], batch_size: int) -> list[Answer]:
        """What the model says, chunk by chunk and each distinct input once."""
        found: list[Answer] = []
        for start in range(0, len(inputs), INPUTS_PER_CHUNK):
            chunk = inputs[start : start + INPUTS_PER_CHUNK]
            distinct = list(dict.fromkeys(chunk))
            told = self.model.answers(distinct, self.model.prepare(distinct), batch_size)
            answers = dict(zip(distinct, told, strict=True))
            found += [answers[each] for each in chunk]
        return found

    @property
    def dev_score(self) -> float:
        """The dev score of the epoch whose weights the model has."""
        return max(record.dev_score for record in self.history)

    def save(
        self,
        folder: Path,
        metrics: Mapping[str, object] | None = None,
        origin: Mapping[str, object] | None = None,
    ) -> None:
        """Writes the model to a folder, whole or not at all; a model that lay there is replaced.

        Of several processes that trained it together the first one writes.

        Args:
            folder: is made, with its parents.
            metrics: JSON values to keep beside the weights.
            origin: where the examples come from, for the card: `licences` and `templates` (name → rows), and
                the `recipe`.

        Raises:
            StepFailed: the disk is full, or the folder cannot be written.
        """
        from zhiling.training.saving.checkpoints import write

        if Processes.started().first:
            write(self, folder, metrics or {}, origin or {})
