"""Language: tags, confidence, texts without letters, and the choice of languages."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.curation.frames import CONTEXT, empty, pairs
from zhiling.curation.language import Language


def tags(step: Language, *texts: tuple[str | None, str | None]) -> list[str]:
    return step.measure(pairs(*texts), CONTEXT)["language"].to_list()


def test_sentences_get_their_language() -> None:
    answer = Language().measure(
        pairs(
            ("Where is the parcel that I ordered last week?", None),
            ("我上周订的包裹现在到哪里了？", None),
            ("Wo bleibt das Paket, das ich letzte Woche bestellt habe?", None),
            ("先週注文した荷物はどこにありますか", None),
            ("鹭灯 Peep 传感器一直显示 offline，怎么办？", None),
        ),
        CONTEXT,
    )
    assert answer["language"].to_list() == ["en", "zh", "de", "ja", "zh"]
    assert answer["score"].is_between(0, 1).all()
    assert answer["score"].min() > 0.4


def test_texts_without_letters_are_undetermined() -> None:
    answer = Language().measure(
        pairs((None, None), ("", ""), ("12:30 :) 🙂", "…"), ("https://", "42")), CONTEXT
    )
    assert answer["language"].to_list()[:3] == ["und"] * 3
    assert answer["score"].to_list()[:3] == [0.0] * 3


def test_the_part_is_a_setting() -> None:
    row = ("Where is my parcel now, please?", "您的包裹今天已经发出，请耐心等待。")
    assert tags(Language(on="user"), row) == ["en"]
    assert tags(Language(on="reply"), row) == ["zh"]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    rows = [("hello there my friend", None), ("你好", None), ("hello there my friend", None), ("", None)]
    assert tags(Language(), *rows) == [tags(Language(), row)[0] for row in rows]


def test_only_the_languages_asked_for_are_answered() -> None:
    assert tags(Language(languages=("en", "fr")), ("Wo bleibt mein Paket?", None))[0] in {"en", "fr"}


def test_only_the_beginning_is_read() -> None:
    text = "where is the parcel that i ordered " + "我的包裹在哪里" * 1000
    assert tags(Language(characters=34), (text, None)) == ["en"]


def test_no_rows() -> None:
    assert Language().measure(empty(), CONTEXT).shape == (0, 2)


@pytest.mark.parametrize("languages", [("en",), ("en", "xx"), ("en", "en"), ()])
def test_languages_that_are_no_choice_are_refused(languages: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        Language(languages=languages)
