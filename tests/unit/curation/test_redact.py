"""Redact: placeholders are consistent, what points into a text moves, clean rows are not touched."""

from __future__ import annotations

import json

import polars as pl

from tests.unit.curation.frames import CONTEXT, empty, pairs, rows, turns
from zhiling.curation.redact import Redact
from zhiling.pipeline.step import Made
from zhiling.rows.conversation import nest
from zhiling.rows.schema import ALTERNATIVE


def make(frame: pl.DataFrame, **settings: object) -> Made:
    step = Redact.model_validate(settings)
    return step.make(frame.select("id", *step.reads()), CONTEXT)


def texts(made: Made) -> list[list[str]]:
    return [[turn["text"] for turn in row] for row in made.rows["messages"].to_list()]


def test_one_value_has_one_placeholder_in_a_conversation() -> None:
    made = make(
        turns(
            [
                ("user", "我是a1@example.com，电话13812345678"),
                ("assistant", "收到A1@example.com。+86 138-1234-5678？"),
            ],
            [("user", "nothing here, 1:3"), ("assistant", "no")],
            [("user", "b@example.com c@example.com"), ("assistant", "b@example.com")],
        )
    )
    assert texts(made) == [
        ["我是[EMAIL_1]，电话[PHONE_1]", "收到[EMAIL_1]。[PHONE_1]？"],
        ["[EMAIL_1] [EMAIL_2]", "[EMAIL_1]"],
    ]
    assert made.rows["parents"].to_list() == [["r0"], ["r2"]]
    assert made.failures == []


def test_numbers_hold_across_the_rows_of_a_group_in_any_order() -> None:
    frame = turns(
        [("user", "a@example.com"), ("assistant", "ok"), ("user", "b@example.com")],
        [("user", "a@example.com")],
        [("user", "b@example.com")],
    ).with_columns(group=pl.Series(["g", "g", "other"]))
    expected = {"r0": ["[EMAIL_1]", "ok", "[EMAIL_2]"], "r1": ["[EMAIL_1]"], "r2": ["[EMAIL_1]"]}
    for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1]):
        made = make(frame[order])
        assert dict(zip(made.rows["parents"].list.first(), texts(made), strict=True)) == expected


def test_placeholders_that_stand_there_already_keep_their_numbers() -> None:
    made = make(pairs(("[EMAIL_3] wrote to d@example.com", "[EMAIL_3]")))
    assert texts(made) == [["[EMAIL_3] wrote to [EMAIL_4]", "[EMAIL_3]"]]
    assert make(pairs(("only [EMAIL_3]", "[PHONE_1]"))).rows.height == 0


def target(frame: pl.DataFrame, *values: object) -> pl.DataFrame:
    return frame.with_columns(pl.Series("target", [None if v is None else json.dumps(v) for v in values]))


def test_spans_move_and_may_be_a_finding_or_hold_one() -> None:
    text = "写给a@example.com的张伟"
    spans = [
        {"message": 0, "start": 2, "end": 15, "label": "MAIL", "text": "a@example.com"},
        {"message": 0, "start": 16, "end": 18, "label": "PER", "text": "张伟"},
        {"message": 0, "start": 0, "end": 18, "label": "ALL"},
    ]
    made = make(target(pairs((text, None)), {"spans": spans}))
    new = json.loads(made.rows["target"][0])["spans"]
    changed = texts(made)[0][0]
    assert [changed[span["start"] : span["end"]] for span in new] == ["[EMAIL_1]", "张伟", changed]
    assert [span.get("text") for span in new] == ["[EMAIL_1]", "张伟", None]


def test_a_span_that_is_cut_through_is_a_failure_and_the_others_go_on() -> None:
    frame = target(
        pairs(("to a@example.com", None), ("to b@example.com", None)),
        {"spans": [{"start": 0, "end": 6, "label": "X"}]},
        {"spans": []},
    )
    made = make(frame)
    assert [(failure.row, failure.cls) for failure in made.failures] == [("r0", "span_cut")]
    assert texts(made) == [["to [EMAIL_1]"]]


def test_tokens_of_one_placeholder_become_one() -> None:
    frame = target(
        pairs(("call +44 7700 900123 now", None)),
        {"tokens": [[0, 4], [5, 8], [9, 13], [14, 20], [21, 24]], "tags": ["O", "B-T", "I-T", "I-T", "O"]},
    )
    new = json.loads(make(frame).rows["target"][0])
    assert new == {"tokens": [[0, 4], [5, 14], [15, 18]], "tags": ["O", "B-T", "O"]}


def test_alternatives_tool_calls_reasoning_and_media_are_rewritten_too() -> None:
    messages = nest(
        pl.DataFrame(
            {
                "role": ["user", "assistant"],
                "text": ["a@example.com sent this", "ok"],
                "reasoning": [None, "who is a@example.com"],
                "tool_calls": [None, '[{"phone": 13812345678, "n": 5}]'],
                "media": [[{"kind": "image", "path": "p", "sha256": "h", "at": 24}], None],
            }
        ),
        [2],
    )
    other = nest(pl.DataFrame({"role": ["assistant"], "text": ["mail a@example.com"]}), [1])
    alternative = pl.DataFrame({"messages": other, "kind": ["rejected"]})
    for name, dtype in {field.name: field.dtype for field in ALTERNATIVE.fields}.items():
        if name not in alternative.columns:
            alternative = alternative.with_columns(pl.lit(None, dtype=dtype).alias(name))
    listed = alternative.select(pl.struct(field.name for field in ALTERNATIVE.fields).implode()).to_series()
    made = make(rows(messages).with_columns(listed.alias("alternatives")))
    row = made.rows.row(0, named=True)
    assert row["messages"][0]["text"] == "[EMAIL_1] sent this"
    assert row["messages"][0]["media"][0]["at"] == 20
    assert row["messages"][1]["reasoning"] == "who is [EMAIL_1]"
    assert json.loads(row["messages"][1]["tool_calls"]) == [{"phone": "[PHONE_1]", "n": 5}]
    assert row["alternatives"][0]["messages"][0]["text"] == "mail [EMAIL_1]"
    assert row["alternatives"][0]["kind"] == "rejected"


def test_nothing_to_do() -> None:
    assert make(empty()).rows.height == 0
    assert make(pairs(("👍", None), (None, "2023-01-01 12:30"))).rows.height == 0
    assert make(turns([("user", None)], [])).rows.height == 0


def test_a_megabyte() -> None:
    made = make(pairs(("字" * 340_000 + "a@example.com", "好")))
    assert texts(made)[0][0].endswith("字[EMAIL_1]")


def test_kinds_are_a_setting() -> None:
    made = make(pairs(("a@example.com 13812345678", None)), kinds=["phone"])
    assert texts(made) == [["a@example.com [PHONE_1]"]]


def test_what_has_no_place_in_the_record_is_redacted_too_and_nothing_of_a_row_is_lost() -> None:
    frame = pairs(("mail a@example.com", "ok"), ("你好", "好")).with_columns(
        extra=pl.Series(
            ['{"from":"A@example.com","lines":2,"who":["张三","b@example.com"]}', '{"tel":"13812345678"}']
        ),
        tools=pl.Series(['[{"name":"find"}]', None]),
    )
    made = make(frame)
    assert made.rows["extra"].to_list() == [
        '{"from":"[EMAIL_1]","lines":2,"who":["张三","[EMAIL_2]"]}',
        '{"tel":"[PHONE_1]"}',
    ]
    assert made.rows["tools"].to_list() == ['[{"name":"find"}]', None]
