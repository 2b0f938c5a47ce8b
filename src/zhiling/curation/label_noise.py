"""How probable each label is, once the given one is known: scores joined with a model of how labels go wrong.

Three things are learnt from scores and given labels alone, with no truth: how sharp the scores are, how often
a label is wrong, and which label becomes which. The last is a matrix, drawn towards errors that are spread
evenly; how strongly, the left-out likelihood of the given labels decides. So random errors and errors
between two labels that are easily confused are judged each by its own rule, and the posterior tells how
many rows to remove: those with a wrong label are likelier wrong than right.

Source: Dawid and Skene 1979 (confusion, by expectation-maximisation); Patrini et al. 2017 (forward
correction); Northcutt et al. 2021 (noise between classes). Deviation: the prior's weight is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.curation.cross_fitting import Matrix, softmax
from zhiling.encoders.sparse import require

Classes = NDArray[np.int64]

BEND = 0.16
"""Scores above it count less and less. A softmax of bare scores is too sure of itself where two labels fit:
on CLINC150 with 5 % of the labels wrong average precision .951 without the bend, .980 with it."""
TEMPERATURES = np.geomspace(0.005, 0.5, 24)
RATES = np.geomspace(0.005, 0.6, 17)
WEIGHTS = (1.0, 10.0, 100.0, 1000.0, 100_000.0)
"""How many rows of each label the prior of the matrix is worth."""
CLEARLY = 4.0
"""So many standard errors a weaker prior must be likelier than a stronger one to be believed."""
ITERATIONS = 10
ROUNDS = 2
_TINY = 1e-12


@dataclass(frozen=True)
class Confusion:
    """A matrix of errors and what it says.

    Attributes:
        likely: log-likelihood of each row's given label, the row left out.
        matrix: row the right label, column the given one; rows sum to 1.
        posterior: probability of each label for each row.
    """

    likely: NDArray[np.float64]
    matrix: Matrix
    posterior: Matrix


@dataclass(frozen=True)
class Beliefs:
    """What is believed of each row.

    Attributes:
        by_text: probability of each label by the text alone, (n, classes), rows sum to 1.
        right: probability that the given label is right, (n,).
    """

    by_text: Matrix
    right: NDArray[np.float64]


def beliefs(scores: Matrix, given: Classes) -> Beliefs:
    """Probability of each label by the text, and that the given one is right.

    Anchor: with equal scores everywhere every label is believed.

    Args:
        scores: out-of-fold scores of a regression on the label's indicator: 0 not this label, 1 this label.
        given: the given label of each row, 0 to classes - 1; two or more labels are in use.
    """
    evidence = np.where(scores > 0, BEND * np.log1p(np.maximum(scores, 0) / BEND), scores)
    temperature, rate = _even_errors(evidence, given)
    lines = np.arange(len(given))
    chances, right = evidence, evidence[:, 0]
    for _ in range(ROUNDS):
        chances = softmax(evidence / temperature)
        even = _even(scores.shape[1], rate)
        chosen = _clearest([_confusion(chances, given, even, weight) for weight in WEIGHTS])
        right = chosen.posterior[lines, given]
        rate = float(np.clip(1 - right.mean(), RATES[0], _most(scores)))
        temperature = _sharpness(evidence, given, chosen.matrix)
    return Beliefs(chances, right)


def _most(scores: Matrix) -> float:
    """The highest share of wrong labels that can be told from right ones that are called otherwise."""
    labels = scores.shape[1]
    return min(float(RATES[-1]), 0.9 * (labels - 1) / labels)


def _even_errors(evidence: Matrix, given: Classes) -> tuple[float, float]:
    """Temperature and share of wrong labels that make the given labels likeliest, errors spread evenly."""
    lines, others = np.arange(len(given)), evidence.shape[1] - 1
    rates = RATES[_most(evidence) >= RATES]
    best = (-np.inf, 1.0, float(RATES[0]))
    for temperature in TEMPERATURES:
        own = softmax(evidence / temperature)[lines, given][:, None]
        likely = np.log((1 - rates) * own + rates / others * (1 - own) + _TINY).mean(axis=0)
        top = int(likely.argmax())
        best = max(best, (float(likely[top]), float(temperature), float(rates[top])))
    return best[1:]


def _even(labels: int, rate: float) -> Matrix:
    """The matrix of errors that are spread evenly: row the right label, column the given one."""
    matrix = np.full((labels, labels), rate / (labels - 1))
    np.fill_diagonal(matrix, 1 - rate)
    return matrix


def _clearest(fits: list[Confusion]) -> Confusion:
    """The fit with the strongest prior that no other one beats clearly; the last has the strongest.

    Where labels are easily confused anyway, a few of them look like a rule: without this margin errors that
    were spread evenly over BANKING77 were judged by one (average precision .859 against .910).
    """
    best = max(fits, key=lambda fit: fit.likely.mean())
    for fit in reversed(fits):
        lead = best.likely - fit.likely
        if lead.mean() <= CLEARLY * lead.std() / len(lead) ** 0.5:
            return fit
    return best


def _confusion(chances: Matrix, given: Classes, even: Matrix, weight: float) -> Confusion:
    """The matrix that the given labels fit, drawn towards the even one as by `weight` rows of each label.

    A row's own label is taken out of the matrix that it is judged by: else a matrix without a prior would
    explain every error by itself.
    """
    sparse: Any = require("scipy.sparse")
    lines = np.arange(len(given))
    tells = sparse.csr_array((np.ones(len(given)), (given, lines)), shape=(len(even), len(given)))
    matrix = even
    counts, posterior = even, chances
    for _ in range(ITERATIONS):
        posterior = chances * matrix.T[given]
        posterior /= posterior.sum(axis=1, keepdims=True) + _TINY
        counts = cast(Matrix, (tells @ posterior).T)
        matrix = (counts + weight * even) / (counts.sum(axis=1, keepdims=True) + weight)
    part = np.maximum(counts.T[given] - posterior, 0) + weight * even.T[given]
    joint = chances * part / (np.maximum(counts.sum(axis=1) - posterior, 0) + weight)
    likely = joint.sum(axis=1, keepdims=True) + _TINY
    return Confusion(np.log(likely[:, 0]), matrix, joint / likely)


def _sharpness(evidence: Matrix, given: Classes, matrix: Matrix) -> float:
    """The temperature that makes the given labels likeliest under this matrix."""
    columns = matrix.T[given]
    losses = [
        -np.log((softmax(evidence / value) * columns).sum(axis=1) + _TINY).mean() for value in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])
