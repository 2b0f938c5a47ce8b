"""Metrics made of hits, predictions and truths per class: precision, recall, F1 and their averages."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from zhiling.evaluation.metrics.metric import Floats, Metric, Probabilities, Scorer

Average = Literal["micro", "macro", "weighted"]
Item = tuple[str, Hashable]
"""A class and where, in one row, it stands: (`PER`, (0, 4)) is an entity."""


@dataclass(frozen=True)
class ClassCounts:
    """Counts per class, each of shape (resamples, classes)."""

    classes: tuple[str, ...]
    """Every class that is true or predicted somewhere, sorted."""
    hits: Floats
    """Items that are true and predicted."""
    predicted: Floats
    true: Floats

    @cached_property
    def precision(self) -> Floats:
        """Hits per prediction; 0 where nothing was predicted."""
        return ratio(self.hits, self.predicted)

    @cached_property
    def recall(self) -> Floats:
        """Hits per truth; 0 where nothing was true."""
        return ratio(self.hits, self.true)

    @cached_property
    def f1(self) -> Floats:
        """2 · hits / (predicted + true); 0 where both are 0. Anchor: precision 1 and recall 1/2 give 2/3."""
        return ratio(2 * self.hits, self.predicted + self.true)

    def average(self, how: Average) -> Floats:
        """F1 over all classes, shape (resamples,); 1 where nothing is true and nothing predicted.

        Micro: of the summed counts. Macro: the mean over the classes that occur. Weighted: the mean, each
        class as often as it is true.
        """
        if how == "micro":
            both = (self.predicted + self.true).sum(axis=1)
            return np.where(both > 0, ratio(2 * self.hits.sum(axis=1), both), 1.0)
        weights = self.true if how == "weighted" else (self.true + self.predicted > 0).astype(np.float64)
        whole = weights.sum(axis=1)
        none = (self.true + self.predicted).sum(axis=1) == 0
        return np.where(none, 1.0, ratio((self.f1 * weights).sum(axis=1), whole))


@dataclass(frozen=True)
class RowCounts:
    """Hits, predictions and truths of each row: `numbers` has shape (3, rows, classes)."""

    classes: tuple[str, ...]
    numbers: Floats

    def counts(self, weights: Floats) -> ClassCounts:
        """The counts under each weighting of the rows (shape (resamples, rows))."""
        return ClassCounts(self.classes, *(weights @ each for each in self.numbers))


class Counted(Metric):
    """F1 of the items of each row, averaged over their classes."""

    how: ClassVar[Average]

    @staticmethod
    @abstractmethod
    def items(answer: str, truth: str) -> Set[Item]:
        """The items of an answer to the row with this truth (the truth itself is one, too)."""

    @classmethod
    def counts(cls, truth: Sequence[str], predicted: Sequence[str]) -> ClassCounts:
        """The counts over all rows, each of shape (1, classes)."""
        return cls.rows_of(truth, predicted).counts(np.ones((1, len(truth))))

    @classmethod
    def rows_of(cls, truth: Sequence[str], predicted: Sequence[str]) -> RowCounts:
        """The counts of each row: what any weighting is made of."""
        rows = [
            (cls.items(each, each), cls.items(told, each))
            for each, told in zip(truth, predicted, strict=True)
        ]
        classes = sorted({name for pair in rows for items in pair for name, _ in items})
        columns = {name: column for column, name in enumerate(classes)}
        counts = np.zeros((3, len(rows), len(classes)))
        for number, (true, told) in enumerate(rows):
            for kind, items in enumerate((true & told, told, true)):
                for name, _ in items:
                    counts[kind, number, columns[name]] += 1
        return RowCounts(tuple(classes), counts)

    def scorer(
        self,
        truth: Sequence[str],
        predicted: Sequence[str],
        probabilities: Probabilities | None = None,
    ) -> Scorer:
        """The averaged F1 under each weighting."""
        rows = self.rows_of(truth, predicted)
        return lambda weights: rows.counts(weights).average(self.how)


def ratio(part: Floats, whole: Floats) -> Floats:
    """The quotient, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
