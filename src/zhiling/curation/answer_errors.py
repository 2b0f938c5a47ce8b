"""Wrong answer spans: how much better the given span answers than other spans of its passage.

A classifier learns from the other folds which span of a passage was given as the answer. Given spans are a
mixture: some are right, others are wrong, and a wrong one looks like any other span of the passage. So the
share of wrong ones is bounded by how often given spans score as low as others do, with no truth. Errors that
look better than other spans do (the answer of another question) make the bound too low.

Source: Elkan and Noto 2008 (positives among unlabelled); Blanchard et al. 2010 (share of the mixture).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.curation.answer_features import Matcher, Statistics, crossed
from zhiling.curation.answer_spans import Asked, Passage, Span, spread
from zhiling.encoders.sparse import require

NEAR, FAR, ALIKE = 16, 8, 8
"""Candidates of a question: from the sentences that share most with it, from all, and of the given length."""
LEARNT = 150_000
"""So many spans (of some 4,000 questions) teach a fold; more take memory and change nothing."""
PENALTY = 0.2
QUANTILES = np.linspace(0.1, 0.6, 11)
"""Of the leads of other spans: where the share of wrong ones is read."""
LEAST, MOST = 0.005, 0.6
WIDEST, HALVINGS = 20.0, 60
SUREST = 30.0
"""Log-odds end here: a span unlike all others would overflow."""
PRIOR = 5.0
"""Candidates of all rows that each row's own are joined with: a row alone has too few for a mean."""
REFITS = 2
"""Fits after the first, with the given spans weighted by the probability that they are right."""
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Spans:
    """Spans of a table: the row of each, whether it is given, its text, its features."""

    row: NDArray[np.int64]
    given: NDArray[np.bool_]
    text: list[str]
    features: NDArray[np.float32]


def judged_answers(asked: Sequence[Asked], folds: NDArray[np.int64]) -> pl.DataFrame:
    """`score`, `suggested` and `probability` of each row.

    Args:
        asked: what each row asks.
        folds: the fold of each row; two or more are in use.
    """
    spans = spans_of(asked)
    weights = np.ones(len(spans.row))
    odds = out_of_fold_odds(spans, folds, weights)
    for _ in range(REFITS):
        weights[spans.given] = believed(spans, odds)
        odds = out_of_fold_odds(spans, folds, weights)
    return _judged(spans, believed(spans, odds), odds)


def spans_of(asked: Sequence[Asked]) -> Spans:
    """The given spans and the candidates beside them."""
    passages = {text: Passage(text) for text in dict.fromkeys(each.passage for each in asked)}
    statistics = Statistics(passages.values())
    answers: dict[str, set[Span]] = defaultdict(set)
    for each in asked:
        answers[each.passage] |= {passages[each.passage].span(*place) for place in each.places}
    rows: list[int] = []
    given: list[bool] = []
    texts: list[str] = []
    features: list[list[float]] = []
    for row, each in enumerate(asked):
        passage = passages[each.passage]
        matcher = Matcher(each.question, passage, statistics)
        own = [passage.span(*place) for place in each.places]
        for span in [*own, *candidates(matcher, own, answers[each.passage])]:
            rows.append(row)
            given.append(span in own)
            texts.append(passage.words_of(span))
            features.append(matcher.features(span))
    return Spans(np.array(rows), np.array(given), texts, np.array(features, dtype=np.float32))


def candidates(matcher: Matcher, own: Sequence[Span], answers: set[Span]) -> list[Span]:
    """Other spans of the passage, none that touches a given one: the same for every order of rows."""
    passage = matcher.passage
    size = max(1, min(own[0][1] - own[0][0], len(passage.tokens)))
    best = set(np.argsort(-matcher.overlap, kind="stable")[:2].tolist())
    near = [span for span in passage.candidates if passage.sentence_of[span[0]] in best]
    alike = [(at, at + size) for at in range(len(passage.tokens) - size + 1)]
    chosen = {*spread(near, NEAR), *spread(passage.candidates, FAR)}
    chosen |= {*spread(alike, ALIKE), *spread(sorted(answers), NEAR)}
    return sorted(span for span in chosen if all(span[1] <= a or span[0] >= b for a, b in own))


def out_of_fold_odds(spans: Spans, folds: NDArray[np.int64], weights: Scores) -> Scores:
    """Log-odds of each span to be given, judged by rows of other folds; 0 where those have no candidates."""
    fold = folds[spans.row]
    odds = np.zeros(len(fold))
    for held in np.unique(fold):
        rest = np.flatnonzero(fold != held)
        rest = rest[:: len(rest) // LEARNT + 1]
        if spans.given[rest].all() or not spans.given[rest].any():
            continue
        model = require("sklearn.linear_model").LogisticRegression(C=PENALTY, max_iter=1000)
        known = spans.features[rest]
        model.fit(crossed(known, known), spans.given[rest], weights[rest])
        judged = np.flatnonzero(fold == held)
        for block in np.array_split(judged, len(judged) // LEARNT + 1):
            found = model.decision_function(crossed(spans.features[block], known))
            odds[block] = found.clip(-SUREST, SUREST)
    return odds


def believed(spans: Spans, odds: Scores) -> Scores:
    """Probability that each given span is right: the logistic of its lead over the row's other spans.

    The lead is shifted so that on the mean as many are wrong as `wrong_share` says.
    Anchor: 1 where there is no other span in the table.
    """
    given, others = spans.given, ~spans.given
    if not others.any():
        return np.ones(int(given.sum()))
    raised, rows = np.exp(odds), spans.row.max() + 1
    beside = np.bincount(spans.row[others], raised[others], rows) + PRIOR * raised[others].mean()
    lead = odds - np.log(beside / (np.bincount(spans.row[others], minlength=rows) + PRIOR))[spans.row]
    share = wrong_share(lead[given], lead[others])
    low, high = lead[given].min() - WIDEST, lead[given].max() + WIDEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if (1 - _logistic(lead[given] - middle)).mean() > share else (middle, high)
    return _logistic(lead[given] - low)


def wrong_share(given: Scores, others: Scores) -> float:
    """An upper bound of the share of given spans that look like any other one, from the leads of both.

    If a share of them does, then of the given spans at least that share times as many lie below a bound as
    of the others, whatever the bound. Source: Blanchard et al. 2010 (mixture proportion).
    """
    bounds = np.quantile(others, QUANTILES)
    below = (given[:, None] < bounds).mean(axis=0)
    return float(np.clip((below / QUANTILES).min(), LEAST, MOST))


def _logistic(values: Scores) -> Scores:
    return 1 / (1 + np.exp(-values))


def _judged(spans: Spans, right: Scores, evidence: Scores) -> pl.DataFrame:
    """The likeliest of a row's given spans counts; the likeliest other one is suggested."""
    frame = pl.DataFrame({"row": spans.row, "given": spans.given, "text": spans.text, "evidence": evidence})
    share = pl.col("evidence").exp() / pl.col("evidence").exp().sum().over("row")
    frame = frame.with_columns(probability=share)
    belief = frame.filter("given").with_columns(score=2 * pl.Series(right) - 1)
    other = frame.filter(~pl.col("given")).sort("probability", descending=True, maintain_order=True)
    suggested = other.unique("row", keep="first", maintain_order=True)
    rows = belief.group_by("row").agg(pl.col("score").max()).sort("row")
    return rows.join(
        suggested.select("row", "probability", suggested="text"), on="row", how="left", maintain_order="left"
    )
