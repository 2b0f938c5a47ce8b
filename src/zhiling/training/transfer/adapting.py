"""A classifier that goes on learning from its surest answers to unlabelled texts of where it will work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.training import train
from zhiling.training.examples import Evaluate, Examples
from zhiling.training.fitted import Fitted
from zhiling.training.inputs import Input
from zhiling.training.settings import TrainSettings

SHARES = (0.2, 0.4, 0.7)
"""Of the target's texts that are believed in each round."""


def adapt(
    settings: TrainSettings,
    parts: tuple[Examples, Examples],
    target: Sequence[Input],
    *,
    seed: int,
    evaluate: Evaluate,
    shares: Sequence[float] = SHARES,
) -> Fitted:
    """The model of the last round: each learns from the source and what the one before is surest of.

    Of each class as large a share of the target's texts is believed as the class has of the source: this is
    for a shift of the texts. Where the classes shift too, take `few_labels`, which estimates their shares.

    Args:
        settings: of every round.
        parts: labelled source examples to learn from, and those that choose the epoch.
        target: unlabelled inputs, at least one.
        seed: of every round.
        evaluate: (truth, predicted) → score.
        shares: of the target's texts, one per round, in (0, 1].

    Raises:
        UsageError: no target text, or a task without classes.

    Source: Zou et al. 2018, Unsupervised Domain Adaptation for Semantic Segmentation via Class-Balanced
    Self-Training.
    """
    if not target:
        raise UsageError("there is no target text to adapt to", hint="Give at least one unlabelled input.")
    source, dev = parts
    model = train(settings, parts, seed=seed, evaluate=evaluate)
    frequent = Counter(source.targets)
    for share in shares:
        told = model.predict(target)
        if not told.classes:
            raise UsageError(
                f"task {settings.task!r} has no classes to be sure of", hint="Use task: classification."
            )
        wanted = {name: round(share * len(target) * frequent[name] / len(source)) for name in told.classes}
        believed = surest(told.scores, told.classes, wanted)
        joined = _joined(source, [(target[row], name) for row, name in sorted(believed.items())])
        model = train(settings, (joined, dev), seed=seed, evaluate=evaluate)
    return model


def surest(scores: NDArray[np.float32], classes: Sequence[str], wanted: Mapping[str, int]) -> dict[int, str]:
    """Row → class: of each class the rows with its highest scores, as many as wanted.

    A row that two classes want is of the one with the higher score.

    Args:
        scores: shape (rows, classes).
        classes: names of the columns.
        wanted: class → number of rows.
    """
    found: dict[int, tuple[float, str]] = {}
    for column, name in enumerate(classes):
        for row in np.argsort(-scores[:, column], kind="stable")[: wanted[name]].tolist():
            score = float(scores[row, column])
            if row not in found or found[row][0] < score:
                found[row] = (score, name)
    return {row: name for row, (_, name) in found.items()}


def _joined(source: Examples, believed: Sequence[tuple[Input, str]]) -> Examples:
    """The source's examples and those that are believed."""
    count = len(believed)
    ids = tuple(f"believed-{number}" for number in range(count))
    inputs, names = tuple(turns for turns, _ in believed), tuple(name for _, name in believed)
    return source.followed_by(Examples(ids, inputs, names, ("und",) * count))
