"""Adapting to where a model will work: what is believed, and what it gains."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from zhiling.errors import UsageError  # noqa: E402
from zhiling.evaluation.metrics.accuracy import Accuracy  # noqa: E402
from zhiling.training import Examples, TrainSettings, text_input, train  # noqa: E402
from zhiling.training.transfer.adapting import adapt, surest  # noqa: E402

SETTINGS = TrainSettings(features="ngrams", epochs=8, learning_rate=0.02, ngram_width=16, ngram_min_rows=1)


def examples(rows: list[tuple[str, str]]) -> Examples:
    texts, labels = zip(*rows, strict=True)
    size = len(rows)
    return Examples(tuple(map(str, range(size))), tuple(map(text_input, texts)), labels, ("und",) * size)


def test_of_each_class_the_surest_rows_are_believed_and_none_twice() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.55, 0.45]], dtype=np.float32)
    assert surest(scores, ("a", "b"), {"a": 1, "b": 1}) == {0: "a", 3: "b"}
    assert surest(scores, ("a", "b"), {"a": 3, "b": 2}) == {0: "a", 1: "a", 2: "a", 3: "b"}
    assert surest(scores, ("a", "b"), {"a": 0, "b": 0}) == {}


def test_words_that_only_the_target_has_are_learnt_from_it() -> None:
    known = [("好评 满意", "good"), ("差评 失望", "bad"), ("great good", "good"), ("awful bad", "bad")]
    source = examples(known * 4)
    bridge = ["好评 值得", "差评 退货", "great superb", "awful dreadful"] * 6
    met = examples([("值得", "good"), ("退货", "bad"), ("superb", "good"), ("dreadful", "bad")])
    plain = train(SETTINGS, (source, source), seed=1, evaluate=Accuracy().score)
    adapted = adapt(
        SETTINGS, (source, source), [text_input(text) for text in bridge], seed=1, evaluate=Accuracy().score
    )
    before, after = (
        Accuracy().score(met.targets, each.predict(met.inputs).answers) for each in (plain, adapted)
    )
    assert before < after == 1


def test_what_cannot_be_adapted_is_refused() -> None:
    rows = examples([("好评", "good"), ("差评", "bad")])
    with pytest.raises(UsageError, match="no target text to adapt to"):
        adapt(SETTINGS, (rows, rows), [], seed=0, evaluate=Accuracy().score)
    numbers = examples([("one", "1"), ("two", "2"), ("one", "1"), ("two", "2")])
    regression = SETTINGS.model_copy(update={"task": "regression"})
    with pytest.raises(UsageError, match="task 'regression' has no classes"):
        adapt(regression, (numbers, numbers), [text_input("one")], seed=0, evaluate=lambda *_: 0.0)
