"""What every registered metric must obey: a score in [0, 1] for any weighting of the rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zhiling.errors import UsageError
from zhiling.evaluation.metrics.metric import Metric, Probabilities
from zhiling.pipeline import registry

CALIBRATION = ("brier", "ece")  # which need probabilities
METRICS = sorted(set(registry.table("metric")) - {"pearson", "r_squared", *CALIBRATION})  # shares
LABELS = (
    ["card", "card", "快递", "password", "快递", "card"],
    ["card", "快递", "快递", "card", "快递", "card"],
    "other",
)


def _entities(*spans: tuple[int, int, str]) -> str:
    """Entities of a text of four words with two letters each."""
    listed = [{"message": 0, "start": start, "end": end, "label": label} for start, end, label in spans]
    return json.dumps({"spans": listed, "tokens": [[0, 2], [2, 4], [4, 6], [6, 8]]})


ALL, NONE = _entities((0, 8, "地点")), _entities((0, 2, "x"), (2, 4, "x"), (4, 6, "x"), (6, 8, "x"))
ENTITIES = (
    [ALL, _entities((0, 4, "PER"), (4, 8, "地点")), ALL, _entities((0, 8, "PER"))],
    [ALL, _entities((0, 4, "PER"), (4, 6, "地点"), (6, 8, "PER")), _entities((0, 8, "PER")), ALL],
    NONE,
)


def _triples(*told: tuple[str, str, str]) -> str:
    return json.dumps(
        {"relations": [dict(zip(("subject", "relation", "object"), each, strict=True)) for each in told]}
    )


ONE, OTHER = ("Ada", "works in", "Lyon"), ("小李", "住在", "西安")
TRIPLES = (
    [_triples(ONE), _triples(OTHER, ONE), _triples()],
    [_triples(ONE), _triples(OTHER, ONE[::-1]), _triples(OTHER)],
    _triples(("x", "y", "z")),
)


def _answers(*texts: str) -> str:
    return json.dumps({"answers": [{"text": text} for text in texts]})


ANSWERS = (
    [_answers("the Thames", "Thames"), _answers("北京大学"), _answers()],
    [_answers("thames!"), _answers("北京"), _answers("somewhere")],
    _answers("no such word"),
)
RANKINGS = (
    [_answers("the Thames"), _answers("北京大学"), _answers("shop", "store")],
    [_answers("the Thames", "Oslo"), _answers(*"甲乙丙丁戊己庚辛壬癸"), _answers("store")],
    _answers("no such word"),
)
SAMPLES = {
    "entity": ENTITIES, "tag": ENTITIES, "triple": TRIPLES, "answer": ANSWERS, "exact": ANSWERS,
    "mrr": RANKINGS, "recall": RANKINGS,
}  # fmt: skip
"""By the first word of a metric's name: truth, answers of which some are right, an answer that never is."""


def sample(name: str) -> tuple[list[str], list[str], str]:
    return SAMPLES.get(name.partition("_")[0], LABELS)


def make(name: str) -> Metric:
    return registry.load("metric", name)()


@pytest.mark.parametrize("name", METRICS)
def test_all_right_is_one_and_all_wrong_is_nought(name: str) -> None:
    truth, answers, wrong = sample(name)
    assert make(name).score(truth, truth) == 1
    assert make(name).score(truth, [wrong] * len(truth)) == 0
    assert 0 < make(name).score(truth, answers) < 1


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_counts_a_row_that_often(name: str) -> None:
    truth, answers, _ = sample(name)
    often = np.array([[2.0, 1, 0, 3, 1, 1][: len(truth)]])
    repeated = [(t, a) for t, a, w in zip(truth, answers, often[0], strict=True) for _ in range(int(w))]
    weighted = make(name).weighted(truth, answers, often)
    assert weighted.shape == (1,)
    assert weighted[0] == pytest.approx(make(name).score(*zip(*repeated, strict=True)))


@pytest.mark.parametrize("name", METRICS)
def test_order_and_other_resamples_change_nothing(name: str) -> None:
    truth, answers, _ = sample(name)
    draw = np.random.default_rng(4)
    weights = draw.multinomial(len(truth), [1 / len(truth)] * len(truth), size=20).astype(np.float64)
    scores = make(name).weighted(truth, answers, weights)
    assert scores.shape == (20,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[7] == pytest.approx(make(name).weighted(truth, answers, weights[7:8])[0])
    order = draw.permutation(len(truth))
    turned = make(name).weighted([truth[i] for i in order], [answers[i] for i in order], weights[:, order])
    assert turned == pytest.approx(scores)


@pytest.mark.parametrize("name", CALIBRATION)
def test_certain_and_right_is_nought_and_answers_alone_are_refused(name: str) -> None:
    truth, answers, _ = LABELS
    classes = tuple(sorted(set(truth)))

    def sure(told: list[str]) -> Probabilities:
        scores = np.array([[float(label == each) for label in classes] for each in told])
        return Probabilities(scores.max(axis=1), scores, classes)

    assert make(name).lower_is_better
    assert make(name).score(truth, truth, sure(truth)) == 0
    assert 0 < make(name).score(truth, answers, sure(answers)) < 1
    with pytest.raises(UsageError, match="needs probabilities, and answers alone were given"):
        make(name).score(truth, answers)


@pytest.mark.parametrize("name", METRICS)
def test_no_rows_have_no_score(name: str) -> None:
    with pytest.raises(ValueError, match="of no rows is undefined"):
        make(name).score([], [])


@pytest.mark.parametrize("name", sorted(registry.table("metric")))
def test_a_card_says_what_the_metric_is(name: str) -> None:
    metric = registry.load("metric", name)
    assert metric.name == name
    assert metric.__doc__
    assert "Anchor" in metric.__doc__, "a value that a reader can check"
