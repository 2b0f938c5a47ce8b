"""What an arm's stored answers are known by."""

from __future__ import annotations

import polars as pl

from zhiling.rows.target import Entities, Span, spelled
from zhiling.training import Examples, TrainSettings, text_input
from zhiling.workflow.proof import arm_key, with_words

SETTINGS = TrainSettings(features="ngrams")


def examples(*texts: str) -> Examples:
    return Examples(texts, tuple(map(text_input, texts)), ("a",) * len(texts), ("en",) * len(texts))


def test_whatever_shapes_the_answers_changes_the_key() -> None:
    parts, tested = (examples("one"), examples("二")), examples("three")
    key = arm_key(SETTINGS, ("accuracy", 1), parts, tested)
    others = [
        arm_key(SETTINGS.model_copy(update={"epochs": 2}), ("accuracy", 1), parts, tested),
        arm_key(SETTINGS, ("macro_f1", 1), parts, tested),
        arm_key(SETTINGS, ("accuracy", 2), parts, tested),
        arm_key(SETTINGS, ("accuracy", 1), (parts[1], parts[0]), tested),
        arm_key(SETTINGS, ("accuracy", 1), parts, examples("四")),
    ]
    assert len({key, *others}) == 1 + len(others)
    assert key == arm_key(SETTINGS, ("accuracy", 1), parts, tested)


def test_rows_get_words_beside_their_answers() -> None:
    found = spelled(Entities(spans=[Span(start=0, end=2, label="人")]))
    rows = pl.DataFrame(
        {"truth": [found], "predicted.after": [None]}, schema_overrides={"predicted.after": pl.String}
    )
    told = with_words(rows, examples("王强出生在青岛。"))
    assert told["words.truth"].to_list() == ["王强 人"]
    assert told["words.after"].to_list() == [None]
    assert told["truth"].to_list() == [found]
