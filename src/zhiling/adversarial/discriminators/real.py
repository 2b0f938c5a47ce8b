"""Is the text a real one? A classifier of real rows against this round's generations.

A generation is scored by weights that were fitted without its fold, and rows that come from one row stand
in one fold. Before it is fitted the real rows are matched in length, so that it can't go by length.

Source: Goodfellow et al. 2014, Generative Adversarial Nets; Azadi et al. 2019, Discriminator Rejection
Sampling (the odds of a calibrated discriminator are the ratio of the densities).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.features import Features
from zhiling.adversarial.linear import cross_fitted, fitted
from zhiling.encoders.sparse import require
from zhiling.evaluation.terms import telling_terms, terms_of
from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts

Numbers = NDArray[np.int64]

FOLDS = 5
LENGTHS = 8
"""Classes of length that real rows and generations are made equal in."""
LEAST = 20
"""With fewer rows of a side nothing is learnt: every row is as likely real as made."""
_TOLD = 5
_SIGNS = re.compile(r"(?:[^\w\s]|_)+|\s*\n\s*")


@dataclass(frozen=True)
class Judged:
    """What the discriminator says.

    Attributes:
        real: probability that each generation is a real row, if both were as frequent, (n,).
        beside: the same of the rows that were only scored.
        auc: how well it tells generations from real rows, out of fold: .5 not at all; None: not learnt.
        telling: the signs, then the words that speak most for a generation, the clearest first.
    """

    real: NDArray[np.float64]
    beside: NDArray[np.float64]
    auc: float | None = None
    telling: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """Texts with their features, and a number for each that is equal for those that come from one row."""

    texts: pl.Series
    features: Features
    owners: Numbers

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Side:
        return Side(
            self.texts.gather(np.arange(len(self.texts))[rows]), self.features[rows], self.owners[rows]
        )


def judge_real(real: Side, made: Side, beside: Features, draws: np.random.Generator) -> Judged:
    """Scores every generation.

    Args:
        real: real rows; those that a generation repeats are not among them.
        made: the generations.
        beside: rows that are scored and not learnt from.
        draws: deals out the folds and matches the lengths.
    """
    chosen = real[matched(lengths(real.texts), lengths(made.texts), draws)]
    if min(len(chosen.texts), len(made.texts)) < LEAST:
        return Judged(np.full(len(made.texts), 0.5), np.full(len(beside.encoder), 0.5))
    truth = np.repeat([1.0, 0.0], [len(chosen.texts), len(made.texts)])
    folds = np.concatenate([dealt(each.owners, FOLDS, draws) for each in (chosen, made)])
    views = [np.vstack(each) for each in zip(chosen.features.views, made.features.views, strict=True)]
    wanted = truth[:, None]
    outside = [
        cross_fitted(lambda rows, view=view: fitted(view[rows], wanted[rows]), view, folds) for view in views
    ]
    scores = np.mean(outside, axis=0)[:, 0]
    inside = [fitted(view, wanted).scores(own) for view, own in zip(views, beside.views, strict=True)]
    others = np.mean(inside, axis=0)[:, 0]
    calibrated = _platt(scores, truth)
    auc = float(require("sklearn.metrics").roc_auc_score(truth, scores))
    telling = _telling(chosen.texts, made.texts)
    return Judged(calibrated(scores)[len(chosen.texts) :], calibrated(others), auc, telling)


def matched(real: Numbers, made: Numbers, draws: np.random.Generator) -> Numbers:
    """Places of real rows whose lengths are spread as those of the generations; as many as can be had.

    Where lengths have hardly anything in common, all of them: then length gives the generator away.
    """
    if not len(made):
        return np.empty(0, dtype=np.int64)
    edges = np.unique(np.quantile(made, np.linspace(0, 1, LENGTHS + 1)[1:-1]))
    of_real, of_made = (np.searchsorted(edges, each) for each in (real, made))
    have, wanted = (np.bincount(each, minlength=len(edges) + 1) for each in (of_real, of_made))
    common = np.minimum(have, wanted).sum() / len(made)
    share = min(1.0, float((have[wanted > 0] / wanted[wanted > 0]).min()))
    if share * len(made) < LEAST:  # a class of lengths has hardly a real row: the others are matched alone
        share = common
    taken = [
        draws.permutation(np.flatnonzero(of_real == each))[: int(np.ceil(share * wanted[each]))]
        for each in range(len(edges) + 1)
    ]
    chosen = np.sort(np.concatenate(taken))
    return chosen if len(chosen) >= LEAST else np.arange(len(real))


def lengths(texts: pl.Series) -> Numbers:
    """The tokens of each text in normal form."""
    return token_counts(normalise(texts)).to_numpy().astype(np.int64)


def dealt(owners: Numbers, folds: int, draws: np.random.Generator) -> Numbers:
    """In which of so many folds each row stands; those of one owner stay together."""
    _, place = np.unique(owners, return_inverse=True)
    return (draws.permutation(int(place.max(initial=-1)) + 1) % folds)[place]


def _platt(
    scores: NDArray[np.float64], truth: NDArray[np.float64]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Makes probabilities of scores, both sides weighing the same."""
    fit: Any = require("sklearn.linear_model").LogisticRegression(class_weight="balanced")
    middle, spread = scores.mean(), scores.std() or 1.0
    fit.fit(((scores - middle) / spread)[:, None], truth)
    return lambda others: (
        fit.predict_proba(((others - middle) / spread)[:, None])[:, 1] if len(others) else others
    )


def _telling(real: pl.Series, made: pl.Series) -> tuple[str, ...]:
    texts, inside = [*made.to_list(), *real.to_list()], range(len(made))
    signs, words = (
        telling_terms([terms(text) for text in texts], inside, _TOLD) for terms in (_signs, terms_of)
    )
    return tuple([*signs, *words][:_TOLD])


def _signs(text: str) -> set[str]:
    """What a text has beside words: runs of signs as they stand there, "↵" for a line's end."""
    return {"↵" if "\n" in run else run for run in _SIGNS.findall(text)}
