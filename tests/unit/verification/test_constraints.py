"""Constraints: each kind kept and broken in both languages, what cannot be checked waits for review."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.unit.curation.frames import CONTEXT, pairs
from zhiling.pipeline.step import Context
from zhiling.rows.target import Constraint
from zhiling.rows.target import Constraints as Target
from zhiling.rows.templates import Example, Library, Turn, builtin, render
from zhiling.rows.templates.phrases import phrases
from zhiling.verification.constraints import KINDS, Constraints, Uncheckable, check

SCHEMA = json.dumps({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}})


def of(kind: str, *values: str, **bounds: int) -> Constraint:
    return Constraint(kind=kind, values=list(values), **bounds)


@pytest.mark.parametrize(
    ("constraint", "kept", "broken"),
    [
        (of("length", "words", at_most=5), "You can pay by card.", "You can always pay by card."),
        (of("length", "字", at_least=6, at_most=6), "可以刷卡支付！", "可以刷卡支付了。"),
        (of("length", "sentences", at_least=2), "Yes. It is here.", "Yes, it is here."),
        (of("length", "句", at_most=1), "好，今天发货。", "好。今天发货。"),
        (of("length", "bullets", at_least=3, at_most=3), "- a\n- b\n- c", "- a\n- b"),
        (of("length", "段", at_least=2), "一。\n\n二。", "一。\n二。"),
        (of("frequency", "card", at_least=2), "Card or no card?", "Card, cardboard."),
        (of("frequency", "发票", at_most=1), "发票已开。", "发票已开，发票在邮箱。"),
        (of("include", "make", "ski"), "She is making skis.", "She is skiing."),
        (of("include", "山", "滑雪"), "他在山上滑雪。", "他在滑雪。"),
        (of("exclude", "cat"), "A category of its own.", "The CAT sat."),
        (of("exclude", "保证"), "我们尽快处理。", "我们保证处理。"),
        (of("starts_with", "Dear customer"), "  dear  customer, …", "Hello, dear customer"),
        (of("ends_with", "还有别的问题吗？"), "好的。还有别的问题吗?", "还有别的问题吗？谢谢"),
        (of("json"), '```json\n{"a": 1}\n```', 'Here: {"a": 1}'),
        (of("json"), "[1, 2]", "42"),
        (of("json_schema", SCHEMA), '{"city": "Sund"}', '{"city": 3}'),
        (of("language", "Chinese"), "今天用 zhiling 发货。", "It leaves today."),
        (of("language", "en"), "The parcel leaves our warehouse today, said Ms Wu.", "包裹今天发出。"),
        (of("language", "英语"), "OK", "Der Hund läuft heute sehr schnell über die Straße und bellt."),
        (of("uppercase"), "ALL OF IT, 3 TIMES", "ALL of it"),
        (of("lowercase"), "all of it 都是", "All of it"),
        (of("no_commas"), "No pause here. 没有逗号。", "有，逗号"),
        (of("title"), "# The lamp\ntext", "The lamp\ntext"),
        (of("title"), "《鹭灯》\n正文", "鹭灯\n正文"),
    ],
)
def test_kept_and_broken(constraint: Constraint, kept: str, broken: str) -> None:
    assert check(kept, constraint) is None
    assert check(broken, constraint)


def test_what_is_wrong_is_told_with_its_value() -> None:
    assert check("a b c", of("length", "words", at_most=2)) == "3 words, at most 2 are allowed"
    assert check("好", of("include", "发票", "好")) == "does not hold '发票'"
    broken = [check("a, b", each) for each in (of("no_commas"), of("exclude", "b"), of("exclude", "c"))]
    assert broken == ["holds 1 commas", "holds 'b'", None]


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        (of("rhyme", "aabb"), "rhyme"),
        (of("inlcude", "a"), "did you mean 'include'"),
        (of("length", "words"), "needs at_least or at_most"),
        (of("length", "hats", at_most=3), "hats"),
        (of("length", "words", at_least=3, at_most=2), "at least 3"),
        (of("include"), "0 values"),
        (of("include", " "), "empty value"),
        (of("starts_with", "a", "b"), "2 values"),
        (of("json", at_most=3), "takes no bounds"),
        (of("json_schema", "{"), "no JSON"),
        (of("json_schema", "3"), "an object"),
        (of("json_schema", '{"type": "hat"}'), "broken"),
        (of("json_schema", '{"$ref": "http://a.example/b.json"}'), "refers to"),
        (of("language", "Elvish"), "Elvish"),
    ],
)
def test_what_cannot_be_checked_is_an_error(constraint: Constraint, message: str) -> None:
    with pytest.raises(Uncheckable, match=message):
        check('{"a": 1}', constraint)


def rows(*cases: tuple[str | None, Any]) -> pl.DataFrame:
    targets = [
        target if isinstance(target, str) or target is None else json.dumps(target) for _, target in cases
    ]
    frame = pairs(*(("Write.", reply) for reply, _ in cases))
    return frame.with_columns(pl.Series("target", targets, dtype=pl.String))


def test_rows_are_judged_by_their_own_constraints() -> None:
    short = {"kind": "length", "values": ["字"], "at_most": 3}
    frame = rows(
        ("好的", {"constraints": [short]}),
        ("好的，马上", {"constraints": [short, {"kind": "no_commas"}]}),
        ("好的", {"constraints": [short, {"kind": "style", "values": ["古文"]}]}),
        ("好的，马上", {"constraints": [short, {"kind": "style", "values": ["古文"]}]}),
        ("好", {"constraints": [{"values": []}]}),
        ("好", '{"constraints": ['),
        (None, {"constraints": [short]}),
        ("好", {"labels": ["a"]}),
        ("好", None),
    )
    step = Constraints()
    assert step.applies(frame).to_list() == [True] * 6 + [False] * 3
    answer = step.decide(frame[:6], CONTEXT)
    assert answer["verdict"].to_list() == ["keep", "reject", "review", "reject", "reject", "reject"]
    assert answer["reason"].to_list() == [
        None, "broken_constraint", "uncheckable", "broken_constraint", "broken_target", "broken_target",
    ]  # fmt: skip
    assert answer["score"].to_list() == [0, 2, 1, 2, 1, 1]
    assert answer["problems"][1] == "length: 4 words, at most 3 are allowed\nno_commas: holds 1 commas"


def test_a_templates_frame_is_no_part_of_the_reply() -> None:
    wording = Library().get("controlled/en/draft")
    example = Example(
        "controlled",
        [Turn("user", "Write."), Turn("assistant", "The lamp is on.")],
        Target(constraints=[of("starts_with", "The lamp"), of("length", "words", at_most=4)]),
    )
    row = render(example, wording)
    assert row.messages[-1][1].startswith("Here it is:")
    frame = pairs((row.messages[0][1], row.messages[1][1]), (row.messages[0][1], "The lamp is on."))
    answer = Constraints().decide(frame.with_columns(target=pl.lit(row.target)), Context("x"))
    assert answer["reason"].to_list() == [None, "unreadable_reply"]


def test_every_kind_is_worded_in_both_languages() -> None:
    assert any(builtin("controlled"))
    for language in ("en", "zh"):
        for name, kind in KINDS.items():
            one = of(name, *["x"] * kind.least_values, **({"at_most": 3} if kind.bounded else {}))
            told = phrases(language).constraint(one)
            assert not told.startswith(f"- {name}"), told
