"""F1 of labels, where a row has one or several."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import ClassVar

import orjson

from zhiling.evaluation.metrics.counted import Average, Counted, Item
from zhiling.evaluation.metrics.metric import Metric


class _OfLabels(Counted):
    @staticmethod
    def items(answer: str, truth: str) -> Set[Item]:  # noqa: ARG004 - labels need no truth to be read
        """The label; the labels where the answer is `{"labels": […]}`."""
        return {(label, None) for label in labels_of(answer)}


def labels_of(answer: str) -> list[str]:
    """The labels of an answer: the answer itself, or those of `{"labels": […]}`."""
    return orjson.loads(answer)["labels"] if answer.startswith('{"labels":') else [answer]


class MacroF1(_OfLabels):
    """Mean F1 over all labels that are true or predicted somewhere, as scikit-learn's `f1_score` counts it.

    A rare label counts as much as a frequent one. In a resample the mean runs over the labels that occur in
    that resample. Anchor: truth a, a, b, b with the prediction a for all gives (2/3 + 0) / 2 = 1/3.
    """

    name: ClassVar[str] = "macro_f1"
    how: ClassVar[Average] = "macro"


class MicroF1(_OfLabels):
    """F1 of all labels together; with one label a row it is the accuracy.

    Anchor: truth {a, b}, {a} with the predictions {a}, {a, b} gives 2 · 2 / (3 + 3) = 2/3.
    """

    name: ClassVar[str] = "micro_f1"
    how: ClassVar[Average] = "micro"


class WeightedF1(_OfLabels):
    """Mean F1 over the labels, each as often as it is true.

    Anchor: truth a, a, a, b with the prediction a for all gives 3/4 · 6/7 = 9/14.
    """

    name: ClassVar[str] = "weighted_f1"
    how: ClassVar[Average] = "weighted"


def counted_by(metrics: Sequence[Metric], truth: Sequence[str]) -> type[Counted] | None:
    """What scores per class are of: the first of these metrics that counts by class, else labels.

    None where the truth is no label (a ranking, a number's JSON): then there is no class.
    """
    first = next((type(metric) for metric in metrics if isinstance(metric, Counted)), None)
    labelled = all(not each.startswith("{") or each.startswith('{"labels":') for each in truth)
    return first or (MacroF1 if labelled else None)
