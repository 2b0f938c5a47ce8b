"""Chosen again: a choice made twice stays, another goes, and what a torn reader says is for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.teacher import Scripted, fenced_text
from tests.unit.curation.frames import CONTEXT, rows
from zhiling.pipeline.apply import apply
from zhiling.pipeline.fingerprint import row_keys
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import nest
from zhiling.verification.chosen_again import ChosenAgain

EN = ("Where do you keep milk cool?", ["in the oven", "in the fridge", "on the shelf", "in the drawer"])
ZH = ("牛奶放在哪里才能保持低温？", ["烤箱里", "冰箱里", "书架上", "抽屉里"])
_CHOICE = re.compile(r"^(\d+)[:：]\n<choice ([0-9a-f]{8})>\n(.*?)\n</choice \2>", re.DOTALL | re.MULTILINE)
Reader = Callable[[list[str]], Any]


def asked(question: str, choices: list[str], target: Any, *, document: str | None = None) -> pl.DataFrame:
    said = [("document", "context", document)] if document else []
    said += [("user", "question", question), *(("user", "choice", choice) for choice in choices)]
    flat = pl.DataFrame(said, schema=["role", "name", "text"], orient="row")
    truth = target if isinstance(target, str) else json.dumps({"choice": target})
    return rows(nest(flat, [flat.height]), ["a" * 32]).with_columns(target=pl.lit(truth))


def shown(prompt: str) -> list[str]:
    """The choices in the order in which a prompt shows them; their numbers must count from 1."""
    found = _CHOICE.findall(prompt)
    assert [int(number) for number, _, _ in found] == [*range(1, len(found) + 1)]
    return [text for _, _, text in found]


def decided(row: pl.DataFrame, reader: Reader) -> tuple[dict[str, Any], list[str]]:
    prompts: list[str] = []

    def script(prompt: str) -> Any:
        prompts.append(prompt)
        return {"choice": reader(shown(prompt))}

    step = ChosenAgain()
    assert step.applies(row).to_list() == [True]
    context = Context("again", load_models=lambda step: Scripted(script))
    return step.decide(row, context).row(0, named=True), prompts


def knows(text: str) -> Reader:
    return lambda choices: choices.index(text) + 1


def torn(choices: list[str]) -> int:
    return 1


def doubtful(choices: list[str]) -> int:
    return 0


@pytest.mark.parametrize(
    ("case", "right", "reader", "verdict", "reason", "score"),
    [
        (EN, 1, knows("in the fridge"), "keep", None, 1),
        (EN, 2, knows("in the fridge"), "reject", "other_choice", 0),
        (EN, 0, torn, "review", "undecided", 0.5),
        (EN, 1, doubtful, "review", "undecided", 0),
        (ZH, 1, knows("冰箱里"), "keep", None, 1),
        (ZH, 3, knows("冰箱里"), "reject", "other_choice", 0),
        (ZH, 0, torn, "review", "undecided", 0.5),
        (ZH, 1, doubtful, "review", "undecided", 0),
    ],
)
def test_what_a_second_reader_chooses(
    case: tuple[str, list[str]], right: int, reader: Reader, verdict: str, reason: str | None, score: float
) -> None:
    question, choices = case
    line, prompts = decided(asked(question, choices, right), reader)
    assert (line["verdict"], line["reason"], line["score"], line["failure"]) == (verdict, reason, score, None)
    assert (line["problems"] is None) == (reason is None)
    first, second = map(shown, prompts)
    assert first == choices
    assert sorted(second) == sorted(choices)
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert all(fenced_text(prompt, "question") == question for prompt in prompts)
    assert all(("你回答" in prompt) == (case is ZH) for prompt in prompts)
    if reason == "other_choice":
        assert line["first"] == line["second"] == choices[1]
        assert repr(choices[1]) in line["problems"]


@pytest.mark.parametrize(("question", "choices"), [EN, ZH])
def test_the_document_is_shown_and_the_reply_is_not(question: str, choices: list[str]) -> None:
    row = asked(question, choices, 1, document="Milk 牛奶 {{ x }}")
    _, prompts = decided(row, doubtful)
    assert [fenced_text(prompt) for prompt in prompts] == ["Milk 牛奶 {{ x }}"] * 2


def test_equal_choices_are_shown_once() -> None:
    row = asked("Which? 哪个？", ["红", "red", "红 ", "blue"], 2)
    line, prompts = decided(row, knows("红"))
    assert shown(prompts[0]) == ["红", "red", "blue"]
    assert line["verdict"] == "keep"


def test_a_templated_row_is_read_by_its_template() -> None:
    text = "选择题：水在几度结冰？\nA. 0\nB. 100\n只写字母。"
    fields = [
        {"message": 0, "start": text.index(piece), "end": text.index(piece) + len(piece), "name": name}
        for piece, name in (("水在几度结冰？", "question"), ("0", "choice"), ("100", "choice"))
    ]
    target = json.dumps({"choice": 0, "template": {"wording": "w", "fields": fields}})
    row = asked("", [], target)
    flat = pl.DataFrame({"role": ["user", "assistant"], "text": [text, "A"]})
    row = row.with_columns(messages=nest(flat, [2]))
    line, prompts = decided(row, knows("0"))
    assert (shown(prompts[0]), shown(prompts[1])) == (["0", "100"], ["100", "0"])
    assert fenced_text(prompts[0], "question") == "水在几度结冰？"
    assert line["verdict"] == "keep"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (asked(*EN, 4), "its target is choice 4, and there are 4, counted from 0"),
        (asked(*ZH, 9), "its target is choice 9, and there are 4"),
        (asked("Which?", ["one"], 0), "two or more"),
        (asked("哪个？", ["一", "一"], 0), "two or more"),
        (asked("Which?", [], 0), "its choices are []"),
        (asked("哪个？", ["一", " "], 0), "none empty"),
        (asked(" ", ["a", "b"], 0), "the row asks nothing"),
        (asked(*EN, '{"choice": -1}'), "choice: Input should be greater"),
        (asked(*EN, '{"choice": "b"}'), "choice: Input should be a valid integer"),
        (asked(*EN, '{"choice": 1'), "Invalid JSON"),
    ],
)
def test_a_broken_row_costs_no_call(row: pl.DataFrame, told: str) -> None:
    line, prompts = decided(row, torn)
    assert (line["verdict"], line["reason"], line["first"], prompts) == ("reject", "broken_target", None, [])
    assert told in line["problems"]
    assert ChosenAgain().first_asks(row, CONTEXT) == []


@pytest.mark.parametrize(
    ("reply", "cls"),
    [({"choice": 5}, "unknown_choice"), ({"choice": "the fridge"}, "schema"), ({"choice": -1}, "schema"),
     ({"answer": 1}, "schema"), ("冰箱里", "bad_json"), ("", "empty")],
)  # fmt: skip
@pytest.mark.parametrize("fails", [0, 1])
def test_a_reply_that_names_no_choice_is_a_failure(reply: Any, cls: str, fails: int) -> None:
    told = [{"choice": 1}, {"choice": 1}]
    told[fails] = reply
    replies = iter(told)
    row = asked(*EN, 1).with_columns(n=pl.lit(0, dtype=pl.UInt32))
    row = row.with_columns(row_keys(row, ["target", "language"]))
    models = Scripted(lambda _: next(replies))
    outcome = apply(ChosenAgain(), row, Context("x", load_models=lambda _: models))
    assert outcome.ledger.select("verdict", "reason").rows() == [("failed", cls)]
    assert len(ChosenAgain().first_asks(row, CONTEXT)) == models.asked == 2


def test_rows_without_a_choice_pass_by() -> None:
    row = asked(*EN, 0)
    for target in (None, '{"labels": ["choice"]}', '{"answers": []}', "{}"):
        assert not ChosenAgain().applies(row.with_columns(target=pl.lit(target, dtype=pl.String))).any()


@given(st.integers(2, 9), st.integers(0, 9), st.integers(0, 2**32), st.data())
def test_who_goes_by_the_place_is_never_believed(
    count: int, place: int, seed: int, data: st.DataObject
) -> None:
    right = data.draw(st.integers(0, count - 1))
    row = asked("Which one? 哪一个？", [f"项{number}" for number in range(count)], right)
    models = Scripted(lambda _: {"choice": place % count + 1})
    context = Context("again", seed=seed, load_models=lambda _: models)
    assert ChosenAgain().decide(row, context)["reason"].to_list() == ["undecided"]
