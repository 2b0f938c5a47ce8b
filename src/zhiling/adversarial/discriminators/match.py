"""Does the label fit the text? A classifier of the real rows, and of what was accepted, judges new ones.

The labels that it is calibrated on are the right ones and, beside them, the wrong ones that come nearest:
for each real row the label that the classifier, fitted without that row, holds for the most probable of
the wrong ones, and one drawn at random. As the classifier learns more every round, they are mined anew.

Source: Karpukhin et al. 2020 (hard negatives, mined by the model that is trained); Platt 1999 (calibration).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhiling.adversarial.features import Features
from zhiling.adversarial.linear import Linear, Matrix, cross_fitted, fitted
from zhiling.curation.cross_fitting import best_temperature, softmax
from zhiling.encoders.sparse import require

Classes = NDArray[np.int64]

FOLDS = 5
_TINY = 1e-9


@dataclass(frozen=True)
class Match:
    """A calibrated judge of labels; see `fit_match`.

    Attributes:
        members: the classifier of each view.
        temperatures: of each view's scores.
        scale: slope and bias that make a probability of the evidence.
        right: out-of-fold probability that the own label of each row fits it, (rows,).
    """

    members: tuple[Linear, ...]
    temperatures: tuple[float, ...]
    scale: tuple[float, float]
    right: NDArray[np.float64]

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
        return self._calibrated(evidence(self.probabilities(texts), labels))

    def disagreement(self, texts: Features) -> NDArray[np.float64]:
        """How far the views are apart on each text: half the L1 distance of their probabilities, 0 to 1."""
        first, second = self.by_view(texts)
        return np.abs(first - second).sum(axis=1) / 2

    def _calibrated(self, given: NDArray[np.float64]) -> NDArray[np.float64]:
        slope, bias = self.scale
        return 1 / (1 + np.exp(-np.clip(slope * given + bias, -50, 50)))


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
    wanted = np.eye(count)[labels]
    folds = _folds(labels, draws)
    outside = [cross_fitted(view, wanted, folds) for view in texts.views]
    heats = tuple(best_temperature(each[judged], labels[judged]) for each in outside)
    chances = pooled([softmax(each / heat) for each, heat in zip(outside, heats, strict=True)])[judged]
    own = labels[judged]
    right, wrong = evidence(chances, own), [evidence(chances, each) for each in _wrong(chances, own, draws)]
    scale = _platt(right, np.concatenate(wrong))
    members = tuple(fitted(view, wanted) for view in texts.views)
    found = Match(members, heats, scale, right)
    return Match(members, heats, scale, found._calibrated(right))


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


def _wrong(chances: Matrix, labels: Classes, draws: np.random.Generator) -> list[Classes]:
    """The most probable of the wrong labels, and a random one."""
    others = chances.copy()
    others[np.arange(len(labels)), labels] = -1
    shift = draws.integers(1, chances.shape[1], len(labels))
    return [others.argmax(axis=1), (labels + shift) % chances.shape[1]]


def _folds(labels: Classes, draws: np.random.Generator) -> Classes:
    """Rows of one label are dealt out evenly, so that no fold lacks a label that has two rows or more."""
    order = np.lexsort((draws.random(len(labels)), labels))
    folds = np.empty(len(labels), dtype=np.int64)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def _platt(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and bias of the log-odds that tell right labels from wrong ones, both weighing the same."""
    given = np.concatenate([right, wrong])[:, None]
    truth = np.repeat([1, 0], [len(right), len(wrong)])
    fit: Any = require("sklearn.linear_model").LogisticRegression(class_weight="balanced").fit(given, truth)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])
