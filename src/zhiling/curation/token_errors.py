"""Errors in token tags: how much a tagger that never saw the row believes in each token's tag.

The tagger is multinomial naive Bayes over the features of `token_features`, fitted by counting: a linear
model fitted to the tags learns wrong ones by heart, and ranks planted errors far worse (average precision
.13 to .26 against .40 on 1,000 Chinese sentences). It is fitted twice, the second time without the least
likely sentences, because a tagger that has seen wrong tags excuses them elsewhere.

Source: Wang and Mueller 2022 (worst token of a sentence); Northcutt et al. 2021 (pruning before a last fit).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.cross_fitting import Matrix, tempered
from zhiling.curation.token_features import token_features
from zhiling.encoders.sparse import require

SMOOTHING = 0.02
DOUBTED = 0.12
"""Share of the rows, those with the least likely token, that do not teach the second tagger."""


def tag_beliefs(tokens: pl.DataFrame, folds: NDArray[np.int64]) -> pl.DataFrame:
    """`score`, `suggested` and `probability` of each token, out of fold.

    Args:
        tokens: `row`, `message`, `text` and `given` of each token, rows together.
        folds: the fold of each token, equal within a row; two or more are in use.

    Returns:
        The probability of the given tag (0 to 1), the likeliest tag, and its probability.
    """
    names = tokens["given"].unique().sort()
    classes = tokens["given"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    features = token_features(tokens)
    lines = np.arange(len(classes))
    first = tag_probabilities(features, classes, folds, np.ones(len(classes), dtype=bool))
    teaches = ~_doubted(tokens["row"].to_numpy(), first[lines, classes])
    second = tag_probabilities(features, classes, folds, teaches)
    best = second.argmax(axis=1)
    return pl.DataFrame(
        {"score": second[lines, classes], "suggested": names[best], "probability": second[lines, best]}
    )


def tag_probabilities(
    features: Any, classes: NDArray[np.int64], folds: NDArray[np.int64], teaches: NDArray[np.bool_]
) -> Matrix:
    """Out-of-fold probabilities, float64 (tokens, tags); only tokens that `teaches` marks are learnt from."""
    logs = np.full((len(classes), int(classes.max(initial=0)) + 1), -np.inf)
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero((folds != fold) & teaches)
        if not len(rest):
            rest = np.flatnonzero(folds != fold)
        tagger: Any = require("sklearn.naive_bayes").MultinomialNB(alpha=SMOOTHING)
        tagger.fit(features[rest], classes[rest])
        logs[np.ix_(held, tagger.classes_)] = tagger.predict_joint_log_proba(features[held])
    # A tag that no other fold knows is as unlikely as can be, not impossible: infinities would spread.
    floor = np.where(np.isfinite(logs), logs, np.inf).min(axis=1, keepdims=True)
    return tempered(np.where(np.isfinite(logs), logs, floor), classes, hottest=100.0)


def _doubted(rows: NDArray[np.uint32], beliefs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tokens of the rows whose worst token is among the least likely of all."""
    worst = np.ones(int(rows.max(initial=0)) + 1)
    np.minimum.at(worst, rows, beliefs)
    present = np.unique(rows)
    count = int(len(present) * DOUBTED)
    least = present[np.argsort(worst[present], kind="stable")[:count]]
    return np.isin(rows, least)
