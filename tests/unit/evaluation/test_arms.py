"""Arms side by side: exact zero for equal arms, verdicts, slices, rows without an answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zhiling.errors import UnknownName, UsageError
from zhiling.evaluation import TestRows, compare_arms
from zhiling.evaluation.answered import Told
from zhiling.evaluation.metrics.metric import Probabilities
from zhiling.evaluation.scores import Changed, verdict

N = 120
TRUTH = tuple(f"label{number % 4}" for number in range(N))
ROWS = TestRows(
    ids=tuple(f"row{number}" for number in range(N)),
    texts=tuple(f"text {number}" for number in range(N)),
    truth=TRUTH,
    languages=tuple("zh" if number % 3 else "en" for number in range(N)),
)


def answers(wrong: range) -> list[str | None]:
    return ["label9" if number in wrong else TRUTH[number] for number in range(N)]


def test_equal_arms_differ_by_exactly_nothing() -> None:
    runs = {seed: answers(range(seed, 40 + 7 * seed)) for seed in (1, 2, 3)}
    found = compare_arms({"control": runs, "after": runs}, ROWS).scores
    for metric in ("accuracy", "macro_f1"):
        difference = found.differences["after-control"][metric]
        assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)
        assert difference.verdict == "no difference"
        assert found.arms["after"][metric] == found.arms["control"][metric]
    assert found.changed is not None
    assert (found.changed.better, found.changed.same, found.changed.worse) == (0, N, 0)


def test_a_clear_gain_is_better_and_its_reverse_worse() -> None:
    good, bad = {1: answers(range(6)), 2: answers(range(9))}, {1: answers(range(60)), 2: answers(range(66))}
    gain = compare_arms({"control": bad, "after": good}, ROWS).scores
    loss = compare_arms({"control": good, "after": bad}, ROWS).scores
    found = gain.differences["after-control"]["accuracy"]
    assert found.mean == pytest.approx((60 + 66 - 6 - 9) / 2 / N)
    assert 0 < found.low < found.mean < found.high
    assert (found.verdict, loss.differences["after-control"]["accuracy"].verdict) == ("better", "worse")
    assert loss.differences["after-control"]["accuracy"].mean == -found.mean


def test_the_json_has_the_documented_shape() -> None:
    arms = {
        name: {7: answers(range(size))} for name, size in (("before", 90), ("control", 50), ("after", 10))
    }
    found = json.loads(json.dumps(compare_arms(arms, ROWS).scores.as_json()))
    assert list(found["arms"]) == ["before", "control", "after"]
    assert set(found["arms"]["before"]["accuracy"]) == {"mean", "low", "high"}
    assert set(found["differences"]) == {"after-control", "after-before"}
    assert found["differences"]["after-before"]["macro_f1"]["verdict"] == "better"
    assert (found["n"], found["seeds"], found["unscored"]) == (
        N,
        [7],
        {"before": 0, "control": 0, "after": 0},
    )
    assert found["changed"] == {"better": 40, "same": 80, "worse": 0}
    assert found["per_language"]["en"]["n"] + found["per_language"]["zh"]["n"] == N
    assert set(found["per_language"]["zh"]["differences"]) == {"after-control", "after-before"}
    assert found["per_label"]["label0"]["n"] == N // 4
    assert set(found["per_label"]["label0"]["arms"]["after"]) == {"precision", "recall", "f1"}


def test_per_label_values_are_means_over_the_seeds() -> None:
    runs = {1: answers(range(0)), 2: ["label0"] * N}
    found = compare_arms({"after": runs}, ROWS).scores.per_label
    assert found["label0"].arms["after"].precision == pytest.approx((1 + 1 / 4) / 2)
    assert found["label0"].arms["after"].recall == 1
    assert found["label1"].arms["after"].f1 == pytest.approx(1 / 2)


def test_rows_without_an_answer_are_left_out_and_counted() -> None:
    missing = answers(range(0))
    missing[0] = missing[5] = None
    comparison = compare_arms({"control": {1: answers(range(6))}, "after": {1: missing}}, ROWS)
    assert comparison.scores.n == N - 2
    assert comparison.scores.unscored == {"control": 0, "after": 2}
    assert comparison.scores.arms["after"]["accuracy"].mean == 1
    assert comparison.scores.arms["control"]["accuracy"].mean == (N - 6) / (N - 2)
    assert comparison.rows["change"].to_list()[:7] == [
        None,
        "better",
        "better",
        "better",
        "better",
        None,
        "same",
    ]
    assert comparison.scores.changed is not None
    assert comparison.scores.changed.better == 4


def test_the_row_table_holds_the_majority_over_the_seeds() -> None:
    first, second, third = answers(range(0)), answers(range(0)), answers(range(0))
    first[0], second[0], third[0] = "x", "y", "y"
    first[1], second[1], third[1] = "z", "y", "x"
    runs = {3: third, 1: first, 2: second}
    table = compare_arms({"before": runs}, ROWS).rows
    assert table.columns == [
        "id", "text", "language", "truth", "predicted.before", "right.before", "change",
    ]  # fmt: skip
    assert table["predicted.before"].to_list()[:3] == ["y", "z", TRUTH[2]]
    assert table["change"].null_count() == N


def test_arms_may_have_different_numbers_of_seeds() -> None:
    arms = {"before": {0: answers(range(60))}, "after": {seed: answers(range(9)) for seed in (1, 2, 3)}}
    found = compare_arms(arms, ROWS).scores
    assert found.seeds == (0, 1, 2, 3)
    assert found.differences["after-before"]["accuracy"].verdict == "better"


def test_equal_seed_equal_intervals() -> None:
    arms = {"after": {1: answers(range(30))}}
    first, second, third = (compare_arms(arms, ROWS, seed=seed).scores.arms for seed in (1, 1, 2))
    assert first == second != third


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        ({}, {}, "no arms"),
        ({"after": {}}, {}, "arm 'after' has no seeds"),
        ({"after": {4: ["label0"]}}, {}, "arm 'after', seed 4: 1 answers to 120 test rows"),
        ({"after": {1: [None] * N}}, {}, "no test row was answered"),
        ({"after": {1: answers(range(3))}}, {"pairs": [("after", "never")]}, r"no arm is named \['never'\]"),
    ],
)
def test_unfit_arms_are_refused(arms: dict, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compare_arms(arms, ROWS, **options)


def test_an_unknown_metric_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        compare_arms({"after": {1: answers(range(3))}}, ROWS, metrics=["acuracy"])


def test_rows_are_columns_of_one_length() -> None:
    with pytest.raises(UsageError, match="one length"):
        TestRows(("1",), (), (), ())


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.01, 0.02, "no difference"),
        (0.0, 0.02, "no difference"),
        (0.01, 0.02, "better"),
        (-0.2, -0.1, "worse"),
    ],
)
def test_verdict_anchors(low: float, high: float, said: str) -> None:
    assert verdict(low, high) == said


def test_a_row_became_better_by_the_first_metric_where_answers_are_never_the_truth_letter_for_letter() -> (
    None
):
    spans = [{"message": 0, "start": 0, "end": 4, "label": "PER"}]
    truth = json.dumps({"spans": spans, "tokens": [[0, 4], [5, 10]]})
    rows = TestRows(("a", "b", "c"), ("Anna sings",) * 3, (truth,) * 3, ("en",) * 3)
    found, nothing = json.dumps({"spans": spans}), json.dumps({"spans": []})
    arms = {"control": {1: [nothing, found, found]}, "after": {1: [found, nothing, found]}}
    changed = compare_arms(arms, rows, metrics=("entity_f1",), resamples=100).rows["change"]
    assert changed.to_list() == ["better", "worse", "same"]


def test_rows_of_one_group_are_drawn_together() -> None:
    groups = tuple(f"chat{number // 20}" for number in range(N))
    rows = TestRows(ROWS.ids, ROWS.texts, ROWS.truth, ROWS.languages, groups)
    arms = {"after": {1: answers(range(40))}}  # two whole chats are wrong, four are right
    alone, together = (compare_arms(arms, each, metrics=["accuracy"]).scores for each in (ROWS, rows))
    first, second = (each.arms["after"]["accuracy"] for each in (alone, together))
    assert first.mean == second.mean
    assert second.high - second.low > 2 * (first.high - first.low)
    assert (alone.groups, together.groups) == (None, 6)
    assert together.per_language["zh"].n < N


def test_groups_of_one_row_change_nothing() -> None:
    rows = TestRows(ROWS.ids, ROWS.texts, ROWS.truth, ROWS.languages, ROWS.ids)
    arms = {"after": {1: answers(range(40))}}
    assert compare_arms(arms, rows).scores == compare_arms(arms, ROWS).scores


def test_mcnemar_counts_the_rows_that_one_arm_alone_has_right() -> None:
    arms = {"control": {1: answers(range(10))}, "after": {1: answers(range(9, 12))}}
    found = compare_arms(arms, ROWS).scores.mcnemar["after-control"]
    assert (found.arm_only, found.other_only) == (9, 2)
    assert found.p == pytest.approx(2 * (1 + 11 + 55) / 2**11)


def test_probabilities_are_scored_where_they_are_told_and_lower_is_better() -> None:
    def sure(right: float) -> Told:
        scores = np.full((N, 4), (1 - right) / 3)
        scores[np.arange(N), [number % 4 for number in range(N)]] = right
        return Told(list(TRUTH), Probabilities(scores.max(axis=1), scores, tuple(sorted(set(TRUTH)))))

    arms = {"before": {1: answers(range(9))}, "control": {1: sure(0.7)}, "after": {1: sure(0.9)}}
    found = compare_arms(arms, ROWS, metrics=["accuracy", "brier", "ece"]).scores
    assert set(found.arms["before"]) == {"accuracy"}
    assert found.arms["after"]["brier"].mean == pytest.approx(0.1**2 + 3 * (0.1 / 3) ** 2)
    assert found.arms["after"]["ece"].mean == pytest.approx(0.1)
    assert found.differences["after-control"]["ece"].mean == pytest.approx(-0.2)
    assert found.differences["after-control"]["ece"].verdict == "better"
    assert set(found.differences["after-before"]) == {"accuracy"}
    assert found.lower_is_better == ("brier", "ece")


def test_slices_are_measured_apart_with_their_changed_rows() -> None:
    arms = {"a": {0: answers(range(9))}, "b": {0: answers(range(3))}}
    found = compare_arms(arms, ROWS, pairs=[("b", "a")])
    parts = found.slices(["short" if number < 60 else "long" for number in range(N)])
    assert [part.n for part, _ in parts.values()] == [60, 60]
    assert parts["short"][1] == Changed(better=6, same=54, worse=0)
    assert parts["long"][0].differences["b-a"]["accuracy"].mean == 0


def test_rankings_have_no_scores_per_label() -> None:
    truth = ('{"answers":[{"text":"退款"}]}',) * 2
    rows = TestRows(("1", "2"), ("a", "b"), truth, ("zh", "zh"))
    told = json.dumps({"answers": [{"text": "x"}, {"text": "退款"}]})
    found = compare_arms({"after": {1: [told, truth[0]]}}, rows, metrics=["mrr"], resamples=100).scores
    assert found.arms["after"]["mrr"].mean == 0.75
    assert found.per_label == {}
