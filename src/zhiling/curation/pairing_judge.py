"""The discriminator of `pairing`: given pairs against wrong ones, the hardest of which it picks itself.

It is the mean, in logits, of a logistic regression (steady on few rows) and boosted trees (which see that a
cosine means another thing in a short text). Wrong pairs are drawn at random; then, round by round, those of
a pool of other replies, random and nearest, that the discriminator of the round before takes for right.
At the end scores become probabilities by a logistic fit on unseen given pairs and unseen random ones, so a
threshold means the same whatever the negatives were.

Source: Shrivastava et al. 2016 (hard example mining); Platt 1999 (probabilities).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zhiling.encoders.sparse import require

Negatives = Literal["random", "nearest", "adversarial"]
Matrix = NDArray[np.float32]

RANDOM, NEAREST = 20, 5
"""Replies of other conversations in a row's pool: drawn at random, and nearest to the given reply's place."""
FIRST = 6
"""Random wrong pairs of a row that every discriminator is fitted on."""
MINED = 2
"""Wrong pairs of a row that one round of mining adds."""
ROUNDS = 1
TRAINING_ROWS = 3000
"""A discriminator is fitted on at most so many rows: with more, time grows and the error hardly falls."""
TREES = 40
LARGEST_LOGIT = 30.0


@dataclass(frozen=True)
class Candidates:
    """Features of rows of one fold.

    Attributes:
        rows: numbers of the rows, (b,).
        fold: their fold.
        right: features of the given pairs, (b, f).
        pool: features with replies of other conversations, random ones first, (b, p, f).
        usable: which of the pool are of another conversation, (b, p).
        others: numbers of the rows whose replies the pool holds, (b, p).
    """

    rows: NDArray[np.int64]
    fold: int
    right: Matrix
    pool: Matrix
    usable: NDArray[np.bool_]
    others: NDArray[np.int64]


@dataclass(frozen=True)
class Verdicts:
    """Out-of-fold logits of the rows of some candidates, in the order of the row numbers.

    Attributes:
        given: of the given pairs, (n,).
        pool: of the wrong pairs, -inf where a reply is of the same conversation, (n, p).
        others: numbers of the rows whose replies the pool holds, (n, p).
    """

    given: NDArray[np.float64]
    pool: NDArray[np.float64]
    others: NDArray[np.int64]

    def probabilities(self) -> NDArray[np.float64]:
        """Of the given pairs, were right and random pairs equally frequent; (n,)."""
        random = self.pool[:, :FIRST]
        return _calibrated(self.given, random[np.isfinite(random)])


def cross_fitted(parts: Sequence[Candidates], negatives: Negatives, seed: int) -> Verdicts:
    """Logits of given and wrong pairs, by discriminators that never saw their fold.

    Args:
        parts: candidates of all rows, numbered 0 to n - 1, in two folds or more.
        negatives: what wrong pairs a discriminator is fitted on.
        seed: of the trees.
    """
    count = sum(len(part.rows) for part in parts)
    given = np.zeros(count)
    pool = np.full((count, RANDOM + NEAREST), -np.inf)
    others = np.zeros(pool.shape, dtype=np.int64)
    # On a few thousand pairs threads wait for each other longer than they work.
    with require("threadpoolctl").threadpool_limits(1):
        for fold in sorted({part.fold for part in parts}):
            judge = fitted_judge([part for part in parts if part.fold != fold], negatives, seed)
            for part in (part for part in parts if part.fold == fold):
                given[part.rows] = judge.logits(part.right)
                pool[part.rows] = np.where(part.usable, judge.table(part.pool), -np.inf)
                others[part.rows] = part.others
        return Verdicts(given, pool, others)


class Judge:
    """Logits of pairs: the mean of a linear model's and of boosted trees'."""

    def __init__(self, right: Matrix, wrong: Matrix, seed: int) -> None:
        features = np.concatenate([right, wrong])
        truth = np.repeat([1, 0], [len(right), len(wrong)])
        self._mean, self._spread = features.mean(axis=0), features.std(axis=0) + 1e-9
        linear: Any = require("sklearn.linear_model").LogisticRegression(
            class_weight="balanced", max_iter=1000
        )
        # No class weights: with weights every feature is cut anew by slow weighted quantiles.
        trees: Any = require("sklearn.ensemble").HistGradientBoostingClassifier(
            max_iter=TREES, max_leaf_nodes=8, l2_regularization=1,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        self._models = [model.fit(self._scaled(features), truth) for model in (linear, trees)]

    def logits(self, features: Matrix) -> NDArray[np.float64]:
        """One number a pair, above 0 where the given pairs are the likelier."""
        scaled = self._scaled(features)
        if not len(scaled):
            return np.zeros(0)
        return np.mean([model.decision_function(scaled) for model in self._models], axis=0)

    def table(self, features: Matrix) -> NDArray[np.float64]:
        """Logits of a pool (b, p, f) of pairs: (b, p)."""
        return self.logits(features.reshape(-1, features.shape[-1])).reshape(features.shape[:2])

    def _scaled(self, features: Matrix) -> Matrix:
        return (features - self._mean) / self._spread


def fitted_judge(parts: Sequence[Candidates], negatives: Negatives, seed: int) -> Judge:
    """A discriminator of given and wrong pairs; the arguments are those of `cross_fitted`."""
    right, pool, usable = _first_rows(parts)
    chosen = np.zeros_like(usable)
    chosen[:, :FIRST] = True
    if negatives == "nearest":
        chosen[:, RANDOM:] = True
    judge = Judge(right, pool[chosen & usable], seed)
    for _ in range(ROUNDS if negatives == "adversarial" else 0):
        logits = judge.table(pool)
        hardest = np.argsort(np.where(usable & ~chosen, logits, -np.inf), axis=1)[:, -MINED:]
        np.put_along_axis(chosen, hardest, values=True, axis=1)
        judge = Judge(right, pool[chosen & usable], seed)
    return judge


def _first_rows(parts: Sequence[Candidates]) -> tuple[Matrix, Matrix, NDArray[np.bool_]]:
    """The training rows, side by side; an equal share of each part where there are too many."""
    share = min(1.0, TRAINING_ROWS / sum(len(part.rows) for part in parts))
    counts = [max(1, round(len(part.rows) * share)) for part in parts]
    return (
        np.concatenate([part.right[:count] for part, count in zip(parts, counts, strict=True)]),
        np.concatenate([part.pool[:count] for part, count in zip(parts, counts, strict=True)]),
        np.concatenate([part.usable[:count] for part, count in zip(parts, counts, strict=True)]),
    )


def _calibrated(given: NDArray[np.float64], random: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of the given pairs, were right and random pairs equally frequent."""
    logits = np.concatenate([given, random]).clip(-LARGEST_LOGIT, LARGEST_LOGIT)[:, None]
    truth = np.repeat([1, 0], [len(given), len(random)])
    fit: Any = require("sklearn.linear_model").LogisticRegression(class_weight="balanced")
    fit.fit(logits, truth)
    return fit.predict_proba(logits[: len(given)])[:, 1]
