"""What an encoder says of labels and numbers without tuning; it needs no torch.

    classification, ordinal   the label with the nearest names and demonstrations
    multi_label               zero-shot the nearest one; else all that half of the weight has
    regression                the mean of the demonstrations; of a pair its cosine, else the training mean

Names and demonstrations vote with exp(cosine / temperature).

Source: Vinyals et al. 2016, Matching Networks for One Shot Learning, section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import UsageError
from zhiling.rows import target as targets
from zhiling.training.examples import Answer
from zhiling.training.inputs import Input, shown_text, texts_named
from zhiling.training.prompting.calibration import CONTENT_FREE, Probabilities, calibrated
from zhiling.training.prompting.demonstrations import Vectors
from zhiling.training.prompting.language import language_of
from zhiling.training.prompting.way import Encode, Known, is_pair

TEMPERATURE = 0.05
"""What cosines are divided by; smaller makes the nearest count more."""
HALF = 0.5

Cosines = NDArray[np.float32]


@dataclass(frozen=True)
class Votes:
    """Weights of labels: from their names, and from demonstrations that were chosen for each input.

    Attributes:
        names: exp(cosine / temperature) of the nearest name, shape (inputs, labels); 0: no vote.
        rows: numbers of the demonstrations of each input.
        weights: theirs, shape (inputs, demonstrations).
    """

    names: Probabilities
    rows: Sequence[Sequence[int]]
    weights: Probabilities


@dataclass(frozen=True)
class Nearness:
    """Answers by an encoder."""

    known: Known
    encode: Encode

    def answers(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer per input."""
        if self.known.task == "regression":
            return self._numbers(inputs)
        return self._labels(inputs)

    def _labels(self, inputs: Sequence[Input]) -> list[Answer]:
        """The best label of each input, or all that reach half."""
        names = self._names(self.encode(list(map(shown_text, inputs))), inputs)
        votes = self._votes(inputs, names)
        several = self.known.task == "multi_label" and bool(votes.weights.shape[1])
        found = self._shares(votes)
        if self.known.settings.calibrate:
            free = self._content_free(inputs, votes)
            found = _both_sides(found, free) if several else calibrated(found, free)
        return [self._answer(row, several=several) for row in found]

    def _answer(self, row: Probabilities, *, several: bool) -> Answer:
        labels, best = self.known.classes, int(row.argmax())
        scores = row.astype(np.float32)
        if self.known.task != "multi_label":
            return Answer(labels[best], float(row[best]), scores)
        chosen = [label for label, share in zip(labels, row, strict=True) if share >= HALF] if several else []
        sure = float(np.maximum(row, 1 - row).min()) if several else float(row[best])
        told = chosen if several else [labels[best]]
        return Answer(targets.spelled(targets.Labels(labels=told)), sure, scores)

    def _names(self, vectors: Vectors, inputs: Sequence[Input]) -> Probabilities:
        """What each label's nearest name weighs, shape (inputs, labels)."""
        weights = np.zeros((len(inputs), len(self.known.classes)))
        for column, words in enumerate(self._words):
            weights[:, column] = np.exp((vectors @ words.T).max(axis=1).astype(np.float64) / TEMPERATURE)
        if self.known.demonstrations.pool.ids:  # of pairs it is not the topic that demonstrations show
            weights[[is_pair(turns) for turns in inputs]] = 0
        return weights

    @cached_property
    def _words(self) -> list[Vectors]:
        verbaliser, definitions = self.known.verbaliser, self.known.settings.definitions
        if not verbaliser.labels:
            raise UsageError(
                "no label is known",
                hint="Name them in a file (label_names), or have labelled rows in the train part.",
            )
        return [self.encode(verbaliser.texts(label, definitions=definitions)) for label in verbaliser.labels]

    def _votes(self, inputs: Sequence[Input], names: Probabilities) -> Votes:
        """With the demonstrations of each input."""
        demonstrations = self.known.demonstrations
        if not demonstrations.pool.ids:
            return Votes(names, [()] * len(inputs), np.zeros((len(inputs), 0)))
        cosines = self._to_pool(inputs)
        rows = demonstrations.chosen(inputs, cosines if demonstrations.by_nearness else None)
        near = np.take_along_axis(cosines, np.array(rows), axis=1).astype(np.float64)
        return Votes(names, rows, np.exp(near / TEMPERATURE))

    def _to_pool(self, inputs: Sequence[Input]) -> Cosines:
        """How near each input is to each row. Two pairs are near where their own cosines are."""
        pool = self.known.demonstrations.pool
        if all(map(is_pair, inputs)) and all(map(is_pair, pool.inputs)):
            return 1 - np.abs(_within(inputs, self.encode)[:, None] - self._within_pool[None, :])
        return self.encode(list(map(shown_text, inputs))) @ self._pool.T

    @cached_property
    def _pool(self) -> Vectors:
        return self.encode(self.known.demonstrations.pool.texts)

    @cached_property
    def _within_pool(self) -> Cosines:
        return _within(self.known.demonstrations.pool.inputs, self.encode)

    @cached_property
    def _marks(self) -> NDArray[np.bool_]:
        """Which labels each row of the pool has, shape (rows, labels)."""
        columns = {label: number for number, label in enumerate(self.known.classes)}
        marks = np.zeros((len(self.known.demonstrations.pool), len(columns)), dtype=np.bool_)
        for row, target in enumerate(self.known.demonstrations.pool.targets):
            for label in labels_of(self.known.task, target):
                marks[row, columns[label]] = True
        return marks

    def _shares(self, votes: Votes) -> Probabilities:
        """Each label's share of the weight, shape (inputs, labels)."""
        total = votes.names.sum(axis=1) + votes.weights.sum(axis=1)
        return self._weighed(votes) / np.maximum(total, np.finfo(np.float64).tiny)[:, None]

    def _weighed(self, votes: Votes) -> Probabilities:
        found = votes.names.copy()
        if votes.weights.shape[1]:
            found += np.einsum("ik,ikl->il", votes.weights, self._marks[np.array(votes.rows)])
        return found

    def _content_free(self, inputs: Sequence[Input], votes: Votes) -> Probabilities:
        """The same shares for inputs without content, given the same demonstrations; their mean."""
        found = np.zeros_like(votes.names)
        for language, texts in CONTENT_FREE.items():
            places = [place for place, turns in enumerate(inputs) if language_of(turns) == language]
            if not places:
                continue
            vectors = self.encode(texts)
            rows = np.array([votes.rows[place] for place in places], dtype=np.int64)
            for vector in vectors:
                names = self._names(vector[None, :], [()]).repeat(len(places), axis=0)
                names[votes.names[places].sum(axis=1) == 0] = 0
                near = (self._pool @ vector)[rows] if rows.shape[1] else np.zeros(rows.shape)
                again = Votes(names, rows.tolist(), np.exp(near.astype(np.float64) / TEMPERATURE))
                found[places] += self._shares(again) / len(texts)
        return found

    def _numbers(self, inputs: Sequence[Input]) -> list[Answer]:
        pool = self.known.demonstrations.pool
        if pool.ids:
            votes = self._votes(inputs, np.zeros((len(inputs), 0)))
            values = np.array([float(target) for target in pool.targets])
            shares = votes.weights / votes.weights.sum(axis=1, keepdims=True)
            found = (shares * values[np.array(votes.rows)]).sum(axis=1).tolist()
        else:
            paired = bool(inputs) and all(map(is_pair, inputs))
            found = _within(inputs, self.encode).tolist() if paired else [self.known.mean] * len(inputs)
        return [Answer(repr(round(float(value), 6)), 1.0) for value in found]


def labels_of(task: str, target: str) -> Sequence[str]:
    """The labels of a target."""
    return targets.Labels.model_validate_json(target).labels if task == "multi_label" else (target,)


def _both_sides(found: Probabilities, free: Probabilities) -> Probabilities:
    """Each label's share calibrated against that of the rest."""
    return calibrated(np.stack([found, 1 - found], axis=-1), np.stack([free, 1 - free], axis=-1))[..., 0]


def _within(inputs: Sequence[Input], encode: Encode) -> Cosines:
    """The cosine of each pair's two texts."""
    first, second = (
        encode([texts_named(turns, name)[0] for turns in inputs]) for name in (targets.FIRST, targets.SECOND)
    )
    return (first * second).sum(axis=1)
