"""What `zhiling evaluate` prints."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from zhiling.cli.evaluate import print_scores
from zhiling.evaluation import TestRows, compare_arms
from zhiling.evaluation.answered import Told
from zhiling.evaluation.metrics.metric import Probabilities
from zhiling.evaluation.tag_report import tag_report
from zhiling.rows.target import Entities, Span, spelled

WORDS = [(0, 4), (5, 9), (10, 15), (16, 17)]
TRUTH = spelled(Entities(spans=[Span(start=0, end=9, label="PER")], tokens=WORDS))
SHORT = spelled(Entities(spans=[Span(start=0, end=4, label="PER")]))
METRICS = ("tag_macro_f1", "tag_micro_f1")


def test_the_second_word_of_a_name_read_as_none(capsys: pytest.CaptureFixture[str]) -> None:
    rows = TestRows(("a",), ("Anna Lind sings .",), (TRUTH,), ("en",))
    found = compare_arms({"after": {1: [SHORT]}}, rows, metrics=METRICS, resamples=100)
    scores = orjson.loads(orjson.dumps(found.scores.as_json()))
    report = {name: values for name, *values in tag_report(scores, "after")}
    assert report["B-PER"] == [1.0, 1.0, 1.0, 1]
    assert report["I-PER"] == [0.0, 0.0, 0.0, 1]
    assert report["O"] == pytest.approx([2 / 3, 1.0, 4 / 5, 2])
    assert report["micro average"] == pytest.approx([3 / 4, 3 / 4, 3 / 4, 4])
    assert report["macro average"] == pytest.approx([5 / 9, 2 / 3, 3 / 5, 4])
    assert report["weighted average"] == pytest.approx([7 / 12, 3 / 4, 13 / 20, 4])
    for metric, line in (("tag_micro_f1", "micro average"), ("tag_macro_f1", "macro average")):
        assert report[line][2] == pytest.approx(scores["arms"]["after"][metric]["mean"])
    print_scores(scores)
    assert "weighted average" in capsys.readouterr().out


def test_no_token_report_where_no_metric_is_of_tags(capsys: pytest.CaptureFixture[str]) -> None:
    rows = TestRows(("a",), ("甲",), ("好",), ("zh",))
    found = compare_arms({"after": {1: ["好"]}}, rows, metrics=("accuracy", "macro_f1"), resamples=100)
    print_scores(orjson.loads(orjson.dumps(found.scores.as_json())))
    assert "average" not in capsys.readouterr().out


def test_arms_differences_and_rows_that_one_arm_alone_has_right_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = TestRows(("a", "b"), ("甲", "乙"), ("好", "坏"), ("zh", "zh"), ("chat", "chat"))
    sure = Told(["好", "坏"], Probabilities(np.ones(2), np.eye(2), ("好", "坏")))
    arms = {"control": {1: ["坏", "坏"]}, "after": {1: sure}}
    found = compare_arms(arms, rows, metrics=("accuracy", "brier"), resamples=100)
    print_scores(orjson.loads(orjson.dumps(found.scores.as_json())))
    shown = capsys.readouterr().out
    assert "2 rows in 1 group, 1 seed, 95 % intervals (groups resampled)" in " ".join(shown.split())
    assert "1 : 0, p 1" in shown
    control = next(line for line in shown.splitlines() if line.startswith("control"))
    assert control.rstrip().endswith("–")
