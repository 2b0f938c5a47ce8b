"""From settings and examples to a fitted model."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import cast

import torch

from zhiling.encoders.transformer import TransformerEncoder
from zhiling.errors import UsageError
from zhiling.pipeline.fingerprint import canonical
from zhiling.pipeline.registry import load as load_component
from zhiling.rows.schema import digest
from zhiling.training.documents import Documents
from zhiling.training.examples import Evaluate, Examples, Progress
from zhiling.training.methods.method import Method
from zhiling.training.model import TaskModel
from zhiling.training.reading.backbones import FrozenEncoder, TunedEncoder
from zhiling.training.reading.features import Cut, FeaturePart, JoinedFeatures
from zhiling.training.reading.ngram_features import NgramFeatures
from zhiling.training.reading.ngram_tokens import NgramTokens
from zhiling.training.reading.seen_tokens import only_seen_tokens
from zhiling.training.reading.still_layers import with_states
from zhiling.training.reading.word_windows import cut_words
from zhiling.training.running.distil import Teachers
from zhiling.training.running.loop import Material, Training, run_epochs
from zhiling.training.running.processes import Processes
from zhiling.training.running.resume import Checkpoint
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.task import Task
from zhiling.training.tensors import one_thread
from zhiling.training.trained import Trained

LONGER = "training texts that are longer than the encoder reads, and are cut at the end"


def fit(
    settings: TrainSettings,
    parts: tuple[Examples, Examples],
    *,
    seed: int,
    evaluate: Evaluate,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """What `zhiling.training.train` gives; torch is there. The caller's random state is left as it was."""
    train, dev = parts
    refuse_empty(parts)
    if settings.context > 1:
        documents = Documents.of(dev, settings.context)
        train, dev = Documents.to_learn_from(train, settings.context).examples, documents.examples
        evaluate = documents.scored_by_row(evaluate)
    teachers = Teachers(settings, seed, checkpoint)

    def teach(plain: TrainSettings, other: int, kept: Checkpoint | None) -> Trained:
        return fit(plain, (train, dev), seed=other, evaluate=evaluate, progress=progress, checkpoint=kept)

    task: Task = load_component("task", settings.task).learn(train, settings)
    with seeded(seed):
        model = TaskModel(task, build_features(settings, task, train))
        inputs, dev_inputs = task.material(model, train), model.prepare(dev.inputs)
        inputs, dev_inputs = (with_states(model, each, settings.precision) for each in (inputs, dev_inputs))
        beliefs = teachers.beliefs(inputs, teach) if settings.distil else ()
        material = (
            Material(train, inputs, task.truths(train, inputs), beliefs), Material(dev, dev_inputs)
        )  # fmt: skip
        processes = Processes.here()
        with _threads(model), only_seen_tokens(model, inputs):
            if not processes.first:
                torch.default_generator.manual_seed(seed + processes.number)  # dropout of its own
            training = Training.start(model, settings, len(train), processes)
            history = run_epochs(training, material, evaluate, progress, checkpoint)
    teachers.forget()
    unseen = task.unknown(dev, dev_inputs) | task.contradictions(train)
    if cut := model.count_cut(train.inputs):
        unseen[LONGER] = cut
    return Trained(settings, task, model, seed, history, unseen, len(parts[0]), fingerprint(parts[0]))


def refuse_empty(parts: tuple[Examples, Examples]) -> None:
    """Both parts must have examples.

    Raises:
        UsageError: one has none.
    """
    for name, examples in zip(("train", "dev"), parts, strict=True):
        if not len(examples):
            raise UsageError(
                f"the {name} part has no examples",
                hint="Look at the split: more rows, or another share for it.",
            )


def fingerprint(examples: Examples) -> str:
    """A hash of examples: their ids, inputs and targets, and inputs without a label (32 hex digits)."""
    parts: list[object] = [examples.ids, examples.as_lists(), examples.targets]
    return digest(canonical([*parts, examples.unlabelled_as_lists()] if examples.unlabelled else parts))


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """Torch's CPU generator seeded, and the caller's state again afterwards."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def _threads(model: TaskModel) -> AbstractContextManager[None]:
    """One thread where no encoder runs in the loop.

    Such a step is a few small matrices: on two busy cores, 300 steps took 6.2 s with two threads that wait
    for each other, and .9 s with one. The weights came out equal.
    """
    return one_thread() if model.tuned_encoder() is None else nullcontext()


def build_features(settings: TrainSettings, task: Task, train: Examples) -> JoinedFeatures:
    """New features, as the settings name them: the encoder first, then the n-grams."""
    parts: list[FeaturePart] = []
    if settings.features != "ngrams":
        parts.append(build_encoder_part(settings, task))
    sequences = task.sequences(train)
    if settings.features != "encoder":
        if task.level == "token":
            parts.append(NgramTokens.learn(sequences, settings, word_cut(settings, parts), pairs=task.pairs))
        else:
            parts.append(NgramFeatures.learn(sequences, settings))
    return JoinedFeatures([*parts, *task.parts(sequences)])


def word_cut(settings: TrainSettings, parts: Sequence[FeaturePart]) -> Cut:
    """How texts become windows of words: as the encoder's part cuts them, else by our own words."""
    if parts:
        return cast(TunedEncoder, parts[0]).cut
    return partial(cut_words, most=settings.max_tokens)


def build_encoder_part(settings: TrainSettings, task: Task) -> FeaturePart:
    """The encoder, inside the loop where it is tuned or its tokens are read."""
    encoder = encoder_of(settings)
    method: type[Method] = load_component("method", settings.method)
    if task.pairs and not method.reads_pairs:
        raise UsageError(
            f"method {settings.method!r} drops what tells the two texts of a pair apart",
            hint="Use method: lora, top_layers or full.",
        )
    if not method.merges and settings.head == "standard":
        raise UsageError(
            f"method {settings.method!r} cannot be merged, so transformers could not load the model whole",
            hint="Set head: own, or method: lora, top_layers or full.",
        )
    if not method.tunes_encoder and task.level == "text" and settings.head == "own":
        return FrozenEncoder(encoder, pairs=task.pairs)
    return TunedEncoder(encoder.load(), settings, words=task.level == "token", letters=task.reads_letters)


def encoder_of(settings: TrainSettings) -> TransformerEncoder:
    """The encoder that the settings name.

    Raises:
        UsageError: they name none.
    """
    if settings.backbone is None:
        raise UsageError(
            f"features={settings.features!r} needs a backbone", hint="Set backbone, or features: ngrams."
        )
    return TransformerEncoder(path=settings.backbone, max_tokens=settings.max_tokens)
