"""Wrong answer spans: how much better the given span answers than other spans of its passage.

A classifier learns from the other folds which span of a passage was given as the answer. Given spans are a
mixture: some are right, others are wrong, and a wrong one looks like any other span. If the log-odds of right
spans are those of other spans tilted exponentially, the share of wrong ones and the tilt follow from the
scores alone, by the likelihood of the given spans, with no truth.

Source: Elkan and Noto 2008 (learning from positives among unlabelled); Qin 1999 (exponential tilt mixture).
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
from zhiling.curation.label_noise import RATES
from zhiling.curation.sparse_features import require

NEAR, FAR, ALIKE = 16, 8, 8
"""Candidates of a question: from the sentences that share most with it, from all, and of the given length."""
LEARNT = 150_000
"""So many spans (of some 4,000 questions) teach a fold; more take memory and change nothing."""
PENALTY = 0.2
TILTS = np.geomspace(0.1, 4, 24)
PRIOR = 5.0
"""Candidates of all rows that each row's own are joined with: a row alone has too few for a mean."""
ROUNDS = 3
"""Fits, each after the first with the given spans weighted by the probability that they are right."""
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
    for _ in range(ROUNDS):
        odds = out_of_fold_odds(spans, folds, weights)
        right, tilt = mixture(spans, odds)
        weights[spans.given] = right
    return _judged(spans, right, tilt * odds)


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
        odds[fold == held] = model.decision_function(crossed(spans.features[fold == held], known))
    return odds


def mixture(spans: Spans, odds: Scores) -> tuple[Scores, float]:
    """Probability that each given span is right, and the tilt of the odds under which they are likeliest.

    Anchor: a given span whose odds are those of all others is as likely right as the mean given span.
    """
    given, others = spans.given, ~spans.given
    best, right, sharpest = -np.inf, np.ones(int(given.sum())), float(TILTS[0])
    if not others.any():
        return right, sharpest
    rows = spans.row.max() + 1
    beside = np.bincount(spans.row[others], minlength=rows) + PRIOR
    for tilt in TILTS:
        raised = np.exp(tilt * odds)
        mean = np.bincount(spans.row[others], raised[others], rows) + PRIOR * raised[others].mean()
        ratio = (raised * (beside / mean)[spans.row])[given]
        likely = np.log(RATES + (1 - RATES) * ratio[:, None]).mean(axis=0)
        rate = RATES[top := int(likely.argmax())]
        if likely[top] > best:
            best, sharpest = likely[top], float(tilt)
            right = (1 - rate) * ratio / (rate + (1 - rate) * ratio)
    return right, sharpest


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
