"""From few labelled examples to a fitted model."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from zhiling.encoders.semi_supervised.seeds import Taught
from zhiling.errors import UsageError
from zhiling.training.examples import EpochRecord, Evaluate, Examples, Progress
from zhiling.training.few_labels.choice import choose, name_examples
from zhiling.training.few_labels.head import Head
from zhiling.training.few_labels.plan import Learner
from zhiling.training.fit import fingerprint, refuse_empty, seeded
from zhiling.training.inputs import Input
from zhiling.training.model import TaskModel
from zhiling.training.prompting.verbaliser import Verbaliser
from zhiling.training.reading.features import JoinedFeatures
from zhiling.training.settings import TrainSettings
from zhiling.training.tasks.classification import Classification
from zhiling.training.tasks.text_task import LinearHead
from zhiling.training.trained import Trained


def fit_few(
    settings: TrainSettings,
    parts: tuple[Examples, Examples],
    *,
    seed: int,
    evaluate: Evaluate,
    progress: Progress | None = None,
) -> Trained:
    """What `zhiling.training.train` gives with `few_labels`; `Trained.choice` tells what was chosen and why.

    The whole is one epoch: the dev examples give its score and decide nothing.

    Raises:
        UsageError: no examples, fewer than two labels, or pairs of texts.
    """
    train, dev = parts
    few = settings.few_labels
    assert few is not None
    refuse_empty(parts)
    task = Classification.learn(train, settings)
    if task.pairs:
        raise UsageError("few_labels reads single texts, and the training examples are pairs")
    unlabelled = _drawn(train.unlabelled, few.unlabelled_rows, seed)
    words = Verbaliser.of(task.labels, few.label_names).names
    learner = Learner(settings, task, name_examples((each, words[each]) for each in task.labels), unlabelled)
    with seeded(seed):
        choice = choose(few, learner, _shuffled(train, seed))
        torch.default_generator.manual_seed(seed)
        seeds = train.followed_by(learner.names) if choice.plan.names else train
        features = learner.features(seeds, contrastive=choice.plan.contrastive)
        ((head, taught),) = learner.heads(features, seeds, [choice.plan.unlabelled])
    model = _model(learner, features, head)
    answers = model.answers(dev.inputs, model.prepare(dev.inputs), settings.batch_size)
    score = float(evaluate(dev.targets, [each.text for each in answers]))
    record = EpochRecord(1, head.loss, score, best=True)
    if progress:
        progress(record)
    told = choice.as_json() | {"unlabelled": _told(taught, len(unlabelled), task)}
    used, unseen = learner.settings_of(choice.plan), task.unknown(dev, model.prepare(()))
    rows, data = len(train), fingerprint(train)
    return Trained(used, task, model, seed, (record,), unseen, rows, data, choice=told)


def _drawn(inputs: tuple[Input, ...], most: int, seed: int) -> tuple[Input, ...]:
    """At most so many of the inputs, in random order."""
    rows: list[int] = np.random.default_rng(seed).permutation(len(inputs))[:most].tolist()
    return tuple(inputs[row] for row in rows)


def _shuffled(examples: Examples, seed: int) -> Examples:
    """The examples in an order that the seed decides: which of a label's seeds are held out together."""
    return examples.take(np.random.default_rng(seed).permutation(len(examples)).tolist())


def _model(learner: Learner, features: JoinedFeatures, head: Head) -> TaskModel:
    """A model of the task with these features and this head.

    The head was fitted to vectors of length 1; a part of features gives them √width times as long.
    """
    model = TaskModel(learner.task, features)
    linear = cast(LinearHead, model.head).linear
    with torch.no_grad():
        linear.weight.copy_(torch.as_tensor(head.weights / features.width**0.5))
        linear.bias.copy_(torch.as_tensor(head.biases))
    return model.eval()


def _told(taught: Taught | None, given: int, task: Classification) -> dict[str, object]:
    """What became of the rows without a label."""
    if taught is None:
        return {"rows": given, "used": 0}
    counts = np.bincount(taught.numbers, weights=taught.weights, minlength=len(task.labels))
    mass = {label: round(float(count), 1) for label, count in zip(task.labels, counts, strict=True)}
    return {"rows": given, "used": int((taught.weights > 0).sum()), "weight": mass}
