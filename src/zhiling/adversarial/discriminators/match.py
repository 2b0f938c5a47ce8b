"""Does the label fit the text? A classifier of the real rows, and of what was accepted, judges new ones.

The labels that it is calibrated on are the right ones and, beside them, the wrong ones that come nearest:
for each real row the label that the classifier, fitted without that row, holds for the most probable of
the wrong ones, and one drawn at random. As the classifier learns more every round, they are mined anew.

Source: Karpukhin et al. 2020 (hard negatives, mined by the model that is trained); Platt 1999 (calibration).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zhiling.adversarial.discriminators.calibration import Scale, platt, sigmoid, strictness
from zhiling.adversarial.features import Features
from zhiling.adversarial.linear import Classes, Linear, Matrix, cross_discriminant, discriminant
from zhiling.curation.cross_fitting import best_temperature, softmax

FOLDS = 5
HOTTEST = 300.0
_TINY = 1e-9


@dataclass(frozen=True)
class Match:
    """A calibrated judge of labels; see `fit_match`.

    Attributes:
        members: the classifier of each view.
        temperatures: of each view's scores.
        scale: slope and bias that make a probability of the evidence.
        right: out-of-fold probability that the own label of each judged row fits it, (judged,).
        wrong: the same of the wrong labels that it was calibrated on, (2 · judged,).
    """

    members: tuple[Linear, ...]
    temperatures: tuple[float, ...]
    scale: Scale
    right: NDArray[np.float64]
    wrong: NDArray[np.float64]

    def by_view(self, texts: Features) -> list[Matrix]:
        """Probability of each label for each text, (n, labels), one matrix a view."""
        return [
            softmax(member.scores(view) / heat)
            for member, view, heat in zip(self.members, texts.views, self.temperatures, strict=True)
        ]

    def probabilities(self, texts: Features) -> Matrix:
        """Their geometric mean, (n, labels), rows sum to 1: what both views hold for possible."""
        return pooled(self.by_view(texts))

    def fits(self, texts: Features, labels: Classes) -> NDArray[np.float64]:
        """Probability that a label that is as often wrong as right fits its text, (n,)."""
        return sigmoid(evidence(self.probabilities(texts), labels), self.scale)

    def disagreement(self, texts: Features) -> NDArray[np.float64]:
        """How far the views are apart on each text: half the L1 distance of their probabilities, 0 to 1."""
        first, second = self.by_view(texts)
        return np.abs(first - second).sum(axis=1) / 2

    def strictness(self, wrong: float) -> float:
        """The probability above which at most this share of wrong labels passes, out of fold; at least .5."""
        return strictness(self.wrong, wrong)

    def learning(self, texts: Features, labels: Classes) -> Match:
        """The same judge with members that are fitted on other rows; its calibration stays."""
        count = len(self.members[0].bias)
        return replace(self, members=tuple(discriminant(view, labels, count) for view in texts.views))


def fit_match(
    texts: Features, labels: Classes, count: int, draws: np.random.Generator, judged: NDArray[np.bool_]
) -> Match:
    """Learns which label fits from rows whose labels are trusted.

    Args:
        texts: the rows.
        labels: their labels, 0 to `count` - 1.
        count: number of labels, 2 or more.
        draws: deals out the folds and draws random wrong labels.
        judged: rows that calibrate it: the real ones. What was accepted is learnt from, and proves nothing.
    """
    folds = _folds(labels, draws)
    members, outside = zip(
        *(cross_discriminant(view, labels, count, folds) for view in texts.views), strict=True
    )
    heats = tuple(best_temperature(each[judged], labels[judged], HOTTEST) for each in outside)
    chances = pooled([softmax(each / heat) for each, heat in zip(outside, heats, strict=True)])[judged]
    own = labels[judged]
    right = evidence(chances, own)
    wrong = np.concatenate([evidence(chances, each) for each in wrong_labels(chances, own, draws)])
    scale = platt(right, wrong)
    return Match(members, heats, scale, sigmoid(right, scale), sigmoid(wrong, scale))


def pooled(views: Sequence[Matrix]) -> Matrix:
    """The geometric mean of probabilities, rows sum to 1."""
    logs = np.mean([np.log(each + _TINY) for each in views], axis=0)
    return softmax(logs)


def evidence(chances: Matrix, labels: Classes) -> NDArray[np.float64]:
    """Log-odds of a label against the best of the others, (n,)."""
    lines = np.arange(len(labels))
    others = chances.copy()
    others[lines, labels] = 0
    return np.log(chances[lines, labels] + _TINY) - np.log(others.max(axis=1) + _TINY)


def wrong_labels(chances: Matrix, labels: Classes, draws: np.random.Generator) -> tuple[Classes, Classes]:
    """For each text the most probable of the wrong labels, and a random wrong one."""
    others = chances.copy()
    others[np.arange(len(labels)), labels] = -1
    shift = draws.integers(1, chances.shape[1], len(labels))
    return others.argmax(axis=1), (labels + shift) % chances.shape[1]


def _folds(labels: Classes, draws: np.random.Generator) -> Classes:
    """Rows of one label are dealt out evenly, so that no fold lacks a label that has two rows or more."""
    order = np.lexsort((draws.random(len(labels)), labels))
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds
