"""Answers as they are stored, and as arms are compared by them."""

from __future__ import annotations

import numpy as np

from zhiling.training import Examples, Predictions, text_input
from zhiling.workflow.proof import answered
from zhiling.workflow.proof.answered import answers_frame, told_of

SCORES = np.array([[0.25, 0.75], [1, 0]], np.float32)


def test_stored_answers_come_back_with_their_probabilities() -> None:
    predicted = Predictions(("好", "a"), SCORES.max(axis=1), SCORES, ("a", "好"))
    frame = answers_frame(("1", "2"), predicted)
    told = told_of(frame, ["a", "好"])
    assert list(told.answers) == ["好", "a"]
    assert told.probabilities is not None
    assert told.probabilities.scores is not None
    assert told.probabilities.scores.tolist() == SCORES.tolist()
    assert told.probabilities.best.tolist() == [0.75, 1]
    assert told.probabilities.classes == ("a", "好")


def test_a_task_without_classes_stores_how_sure_it_is_of_its_answers() -> None:
    predicted = Predictions(('{"spans":[]}',), np.array([0.5], np.float32), np.zeros((1, 0), np.float32))
    frame = answers_frame(("1",), predicted)
    assert frame["scores"].to_list() == [None]
    told = told_of(frame, [])
    assert told.probabilities is not None
    assert told.probabilities.scores is None
    assert told.probabilities.best.tolist() == [0.5]


def test_an_example_without_a_group_is_a_group_of_its_own() -> None:
    examples = Examples(
        ("1", "2", "3"), tuple(map(text_input, "abc")), ("x",) * 3, ("en",) * 3, ("chat", "chat", None)
    )
    rows = answered.test_rows(examples)
    assert rows.groups == ("chat", "chat", "3")
    assert rows.clusters == rows.groups
    assert rows.sources == ()
