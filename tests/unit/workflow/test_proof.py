"""What an arm's stored answers are known by."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from zhiling.rows.target import Entities, Span, spelled
from zhiling.training import Examples, TrainSettings, text_input
from zhiling.training.prompting.settings import PromptSettings
from zhiling.workflow.proof.proof import arm_key, with_words

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


def test_what_prompts_are_made_of_changes_the_key(tmp_path: Path) -> None:
    parts, tested = (examples("one"), examples("二")), examples("three")
    names = tmp_path / "labels.yaml"

    def key(content: str, **asked: object) -> str:
        names.write_text(content, encoding="utf-8")
        prompting = PromptSettings.model_validate({"label_names": str(names), **asked})
        settings = SETTINGS.model_copy(update={"prompting": prompting})
        return arm_key(settings, ("accuracy", 1), parts, tested)

    found = {
        key("a: one"), key("a: 一"), key("a: one", shots=1), key("a: one", calibrate=True),
        key("a: one", encoder={"use": "hashing", "longest": 3}),
        arm_key(SETTINGS, ("accuracy", 1), parts, tested),
    }  # fmt: skip
    assert len(found) == 6
    assert key("a: one") in found


def test_rows_get_words_beside_their_answers() -> None:
    found = spelled(Entities(spans=[Span(start=0, end=2, label="人")]))
    rows = pl.DataFrame(
        {"truth": [found], "predicted.after": [None]}, schema_overrides={"predicted.after": pl.String}
    )
    told = with_words(rows, examples("王强出生在青岛。"))
    assert told["words.truth"].to_list() == ["王强 人"]
    assert told["words.after"].to_list() == [None]
    assert told["truth"].to_list() == [found]
