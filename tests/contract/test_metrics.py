"""What every registered metric must obey: a score in [0, 1] for any weighting of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from zhiling.evaluation.metrics.metric import Metric
from zhiling.pipeline import registry

METRICS = sorted(registry.table("metric"))
TRUTH = ["card", "card", "快递", "password", "快递", "card"]
ANSWERS = ["card", "快递", "快递", "card", "快递", "card"]


def make(name: str) -> Metric:
    return registry.load("metric", name)()


@pytest.mark.parametrize("name", METRICS)
def test_all_right_is_one_and_all_wrong_is_nought(name: str) -> None:
    assert make(name).score(TRUTH, TRUTH) == 1
    assert make(name).score(TRUTH, ["other"] * len(TRUTH)) == 0
    assert 0 < make(name).score(TRUTH, ANSWERS) < 1


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_counts_a_row_that_often(name: str) -> None:
    often = np.array([[2.0, 1, 0, 3, 1, 1]])
    repeated = [(t, a) for t, a, w in zip(TRUTH, ANSWERS, often[0], strict=True) for _ in range(int(w))]
    weighted = make(name).weighted(TRUTH, ANSWERS, often)
    assert weighted.shape == (1,)
    assert weighted[0] == pytest.approx(make(name).score(*zip(*repeated, strict=True)))


@pytest.mark.parametrize("name", METRICS)
def test_order_and_other_resamples_change_nothing(name: str) -> None:
    draw = np.random.default_rng(4)
    weights = draw.multinomial(len(TRUTH), [1 / len(TRUTH)] * len(TRUTH), size=20).astype(np.float64)
    scores = make(name).weighted(TRUTH, ANSWERS, weights)
    assert scores.shape == (20,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[7] == pytest.approx(make(name).weighted(TRUTH, ANSWERS, weights[7:8])[0])
    order = draw.permutation(len(TRUTH))
    turned = make(name).weighted([TRUTH[i] for i in order], [ANSWERS[i] for i in order], weights[:, order])
    assert turned == pytest.approx(scores)


@pytest.mark.parametrize("name", METRICS)
def test_no_rows_have_no_score(name: str) -> None:
    with pytest.raises(ValueError, match="of no rows is undefined"):
        make(name).score([], [])


@pytest.mark.parametrize("name", METRICS)
def test_a_card_says_what_the_metric_is(name: str) -> None:
    metric = registry.load("metric", name)
    assert metric.name == name
    assert metric.__doc__
    assert "Anchor" in metric.__doc__, "a value that a reader can check"
