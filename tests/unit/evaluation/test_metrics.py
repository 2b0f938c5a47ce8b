"""Metrics of single shapes of answers, at their anchors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zhiling.errors import UsageError
from zhiling.evaluation.metrics.answers import AnswerF1, ExactMatch
from zhiling.evaluation.metrics.calibration import Brier, ExpectedCalibrationError
from zhiling.evaluation.metrics.entities import EntityF1, EntityMacroF1
from zhiling.evaluation.metrics.labels import MacroF1, MicroF1, WeightedF1
from zhiling.evaluation.metrics.metric import Probabilities
from zhiling.evaluation.metrics.numbers import Pearson, RSquared
from zhiling.evaluation.metrics.ranking import Mrr, RecallAt1, RecallAt5, RecallAt10
from zhiling.evaluation.metrics.tags import TagMacroF1, TagMicroF1, TagWeightedF1, tags_of
from zhiling.evaluation.metrics.triples import TripleF1, TripleMacroF1


def entities(*spans: tuple[int, int, str]) -> str:
    listed = [{"message": 0, "start": start, "end": end, "label": label} for start, end, label in spans]
    return json.dumps({"spans": listed, "tokens": [[0, 2], [2, 4], [4, 6], [6, 8]]})


def answers(*texts: str) -> str:
    return json.dumps({"answers": [{"text": text} for text in texts]})


def labels(*names: str) -> str:
    return json.dumps({"labels": names}, separators=(",", ":"))


def triples(*told: tuple[str, str, str]) -> str:
    names = ("subject", "relation", "object")
    return json.dumps({"relations": [dict(zip(names, each, strict=True)) for each in told]})


def test_tags_at_their_anchors() -> None:
    truth, answer = [entities((0, 4, "PER"))], [entities((0, 2, "PER"))]
    assert TagMicroF1().score(truth, answer) == 3 / 4
    assert TagMacroF1().score(truth, answer) == pytest.approx(3 / 5)
    assert TagWeightedF1().score(truth, answer) == pytest.approx(13 / 20)


def test_two_entities_side_by_side_begin_twice() -> None:
    words = [[0, 2], [2, 4], [4, 6]]
    spans = [{"start": 0, "end": 2, "label": "A"}, {"start": 2, "end": 6, "label": "A"}]
    assert tags_of(words, spans) == ["B-A", "B-A", "I-A"]


def test_tags_need_the_words_of_the_truth() -> None:
    with pytest.raises(ValueError, match="no `tokens`"):
        TagMicroF1().score(['{"spans": []}'], ['{"spans": []}'])


def test_entities_at_their_anchors() -> None:
    truth = [entities((0, 2, "PER"), (4, 6, "地点"))]
    assert EntityF1().score(truth, [entities((0, 2, "PER"), (4, 6, "PER"))]) == 1 / 2
    assert EntityMacroF1().score(truth, [entities((0, 2, "PER"))]) == 1 / 2
    assert EntityF1().score([entities()], [entities()]) == 1


def test_labels_at_their_anchors() -> None:
    assert MacroF1().score(["a", "a", "b", "b"], ["a"] * 4) == pytest.approx(1 / 3)
    assert MicroF1().score([labels("a", "b"), labels("a")], [labels("a"), labels("a", "b")]) == pytest.approx(
        2 / 3
    )
    assert WeightedF1().score(["a", "a", "a", "b"], ["a"] * 4) == pytest.approx(9 / 14)
    assert MicroF1().score([labels()], [labels()]) == 1


def test_answers_at_their_anchors() -> None:
    assert ExactMatch().score([answers("thames")], [answers("The Thames")]) == 1
    assert ExactMatch().score([answers("thames")], [answers("River Thames")]) == 0
    assert AnswerF1().score([answers("thames")], [answers("river thames")]) == pytest.approx(2 / 3)
    assert AnswerF1().score([answers("北京大学")], [answers("北京")]) == pytest.approx(2 / 3)
    assert AnswerF1().score([answers()], [answers("x")]) == 0
    assert AnswerF1().score([answers("one", "two")], [answers("two")]) == 1


def test_triples_at_their_anchors() -> None:
    one, other = ("Ada", "works in", "Lyon"), ("Bo", "works in", "Oslo")
    assert TripleF1().score([triples(one, other)], [triples(one, other[::-1])]) == 1 / 2
    assert TripleMacroF1().score([triples(one, ("小李", "住在", "西安"))], [triples(one)]) == 1 / 2


def test_numbers_at_their_anchors() -> None:
    truth = ["1", "2", "3"]
    assert Pearson().score(truth, ["2", "4", "6"]) == pytest.approx(1)
    assert Pearson().score(truth, ["3", "2", "1"]) == pytest.approx(-1)
    assert Pearson().score(truth, ["2", "2", "2"]) == 0
    assert RSquared().score(truth, ["2", "2", "2"]) == pytest.approx(0)
    assert RSquared().score(truth, truth) == 1
    drawn = np.array([[2.0, 0, 1], [1, 1, 1]])
    told = ["1", "2", "4"]
    again = Pearson().score(["1", "1", "3"], ["1", "1", "4"])
    assert Pearson().weighted(truth, told, drawn)[0] == pytest.approx(again)


def test_rankings_at_their_anchors() -> None:
    truth = [answers("a"), answers("a", "甲"), answers("a")]
    told = [answers("a", "b"), answers("b", "甲", "a"), answers("b", "c")]
    assert Mrr().score(truth, told) == 1 / 2
    assert RecallAt1().score(truth, told) == pytest.approx(1 / 3)
    places = [1, 6, 5]
    ranked = [answers(*"x" * (place - 1), "a") for place in places]
    assert RecallAt5().score(truth, ranked) == pytest.approx(2 / 3)
    ranked = [answers("a"), answers(*"x" * 9, "甲"), answers(*"x" * 10, "a")]
    assert RecallAt10().score(truth, ranked) == pytest.approx(2 / 3)


def test_calibration_at_its_anchors() -> None:
    truth, certain = ["a", "a", "a", "b"], Probabilities(np.ones(4))
    assert ExpectedCalibrationError().score(truth, ["a"] * 4, certain) == 1 / 4
    even = Probabilities(np.full(4, 0.5), np.full((4, 2), 0.5), ("a", "b"))
    assert Brier().score(truth, ["a"] * 4, even) == 1 / 2


def test_bins_are_closed_on_the_right_and_errors_within_a_bin_cancel() -> None:
    edge = 1 / 15
    one_bin = Probabilities(np.array([edge, edge / 2]))
    two_bins = Probabilities(np.array([edge + 1e-9, edge / 2]))
    told = (["a", "a"], ["b", "a"])
    assert ExpectedCalibrationError().score(*told, one_bin) == pytest.approx(abs(1 - edge * 1.5) / 2)
    assert ExpectedCalibrationError().score(*told, two_bins) == pytest.approx((edge + 1 - edge / 2) / 2)


def test_a_class_that_the_model_does_not_know_adds_its_own_square() -> None:
    certain = Probabilities(np.ones(1), np.array([[1.0, 0.0]]), ("a", "b"))
    assert Brier().score(["新"], ["a"], certain) == 2
    several = Probabilities(np.ones(1), np.array([[0.5, 1.0]]), ("a", "b"))
    assert Brier().score([labels("a", "b")], [labels("b")], several) == 0.25


def test_brier_needs_classes() -> None:
    with pytest.raises(UsageError, match="this task has no classes"):
        Brier().score(["a"], ["a"], Probabilities(np.ones(1)))
