"""What steps that ask have in common: languages, checks of replies, what enters a step's key."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiling.curation.judge import Judgement
from zhiling.llm.asking import Said, _form, _own, accepts, in_language, said
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.verdict import Complaint
from zhiling.synthesis.backtranslate import Instruction
from zhiling.synthesis.dialogue import Blueprint, Talk
from zhiling.synthesis.document_qa import Answered, Unanswered
from zhiling.synthesis.self_instruct import Instance, Task
from zhiling.verification.round_trip import Verified


class Word(Said):
    """A reply of one word and a number."""

    word: str
    count: int


@pytest.mark.parametrize(
    ("text", "language", "fits"),
    [
        ("When does it open?", "en", True),
        ("几点开门？", "en", False),
        ("The shop 木匠 opens at nine.", "en", True),
        ("几点开门？", "zh", True),
        ("When does it open?", "zh", False),
        ("LoRA 的 rank 是什么意思？", "zh", True),
        ("42", "zh", True),
        ("42 €", "en", True),
        ("Ёлка зелёная", "en", False),
        ("Ёлка зелёная", "zh", False),
        ("Où est la gare ?", "fr", True),
        ("几点开门？", "zh-Hant", True),
        ("", "en", True),
    ],
)
def test_a_text_is_in_a_language_by_its_script(text: str, language: str, fits: bool) -> None:
    assert in_language(text, language) is fits


@given(st.text(alphabet="门锁包裹怎么退款几点", min_size=1), st.text(alphabet="abcde ", max_size=5))
def test_a_text_of_one_script_is_never_in_the_other_language(han: str, latin: str) -> None:
    assert in_language(han, "zh")
    assert not in_language(han, "en")
    assert in_language(latin, "en")


def test_the_language_of_a_row_is_its_tag_or_its_script() -> None:
    texts = pl.Series(["What?", "什么？", "What?", "什么？", "什么？"])
    rows = pl.DataFrame({"language": [None, None, "zh-Hans", "fr", "cmn"]})
    assert _own(rows, texts, []) == ["en", "zh", "zh", "en", "zh"]
    assert _own(rows, texts, ["fr"]) == ["en", "zh", "zh", "fr", "zh"]
    assert _own(pl.DataFrame({"id": ["a"] * 5}), texts, []) == ["en", "zh", "en", "zh", "zh"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"word": "a", "count": 1}, None),
        ({"word": " a ", "count": "2"}, None),
        ({"word": "a"}, "count: Field required"),
        ({"word": "a", "count": "many"}, "count: Input should be a valid integer"),
        ({"word": "a", "count": 1, "more": 2}, "more: Extra inputs are not permitted"),
        ([1], "the reply: Input should be a valid dictionary"),
        ({"word": "no", "count": 1}, Complaint("no_word", "it says no")),
    ],
)
def test_a_reply_is_of_its_form_and_says_what_it_may(value: Any, told: Any) -> None:
    def check(word: Word) -> Complaint | None:
        return Complaint("no_word", "it says no") if word.word == "no" else None

    found = accepts(Word, check)(value)
    if isinstance(told, str):
        assert isinstance(found, str)
        assert found.startswith(told)
    else:
        assert found == told


METHODS = [Answered, Unanswered, Verified, Task, Instance, Instruction, Blueprint, Talk, Judgement]


@pytest.mark.parametrize("model", METHODS)
def test_every_form_is_strict_and_hangs_on_no_docstring(model: type[Said]) -> None:
    form = _form(model)
    found: list[Any] = [form.schema]
    while found:
        part = found.pop()
        if isinstance(part, dict):
            if part.get("type") == "object":
                assert part["additionalProperties"] is False
                assert part["required"] == list(part["properties"])
            assert not any(isinstance(part.get(name), str) for name in ("title", "description"))
            found += part.values()
        elif isinstance(part, list):
            found += part


def test_an_accepted_reply_is_read_also_out_of_a_fence() -> None:
    assert said(Word, Reply('```json\n{"word": " 词 ", "count": 3}\n```', "stop")) == Word(word="词", count=3)


def test_what_shapes_replies_enters_the_key_of_a_step_and_nothing_else() -> None:
    base = {"endpoint": "http://a/v1", "model": "m"}

    def shape(**more: Any) -> str:
        return Role.model_validate(base | more).shape("teacher")

    same = [
        {"endpoint": ["http://a/v1", "http://b/v1"]}, {"price": {"in": 1}}, {"rpm": 9}, {"key_env": "K"},
        {"timeout_s": 9}, {"batch": True}, {"stream": True},
    ]  # fmt: skip
    other = [{"model": "n"}, {"revision": "2"}, {"max_tokens": 9}, {"extra": {"top_k": 5}}]
    assert {shape(**more) for more in same} == {shape()}
    assert len({shape(), *(shape(**more) for more in other)}) == 1 + len(other)
    assert Role.model_validate(base).shape("judge") != shape()
