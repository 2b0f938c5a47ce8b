"""Every metric equals scikit-learn's, on the rows as they are and on any resample of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiling.evaluation.metrics.accuracy import Accuracy
from zhiling.evaluation.metrics.labels import MacroF1, MicroF1, WeightedF1

sklearn_metrics = pytest.importorskip("sklearn.metrics")

labels = st.sampled_from(["a", "b", "退款", "d"])
pairs = st.lists(st.tuples(labels, labels), min_size=1, max_size=30)


@settings(max_examples=50, deadline=None)
@given(pairs)
def test_scores_equal_the_library(rows: list[tuple[str, str]]) -> None:
    truth, predicted = map(list, zip(*rows, strict=True))
    assert Accuracy().score(truth, predicted) == pytest.approx(
        sklearn_metrics.accuracy_score(truth, predicted)
    )
    for metric in (MacroF1(), MicroF1(), WeightedF1()):
        expected = sklearn_metrics.f1_score(truth, predicted, average=metric.how, zero_division=0)
        assert metric.score(truth, predicted) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(pairs)
def test_values_per_label_equal_the_library(rows: list[tuple[str, str]]) -> None:
    truth, predicted = map(list, zip(*rows, strict=True))
    counts = MacroF1.counts(truth, predicted)
    expected = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, labels=list(counts.classes), zero_division=0
    )
    for found, wanted in zip(
        (counts.precision, counts.recall, counts.f1, counts.true), expected, strict=True
    ):
        assert found[0] == pytest.approx(wanted)


@settings(max_examples=50, deadline=None)
@given(pairs, st.integers(0, 2**32 - 1))
def test_weights_equal_repeated_rows(rows: list[tuple[str, str]], seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(len(rows), size=len(rows))
    weights = np.bincount(drawn, minlength=len(rows))[None].astype(float)
    truth, predicted = map(list, zip(*rows, strict=True))
    again = [[column[place] for place in drawn] for column in (truth, predicted)]
    for metric in (Accuracy(), MacroF1(), MicroF1(), WeightedF1()):
        assert metric.weighted(truth, predicted, weights)[0] == pytest.approx(metric.score(*again))
