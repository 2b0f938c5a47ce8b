"""Constrain: demands that replies meet by the checks of `verification`, in English and Chinese."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zhiling
from zhiling.pipeline.step import Context
from zhiling.rows import target
from zhiling.rows.schema import ROW, conform
from zhiling.rows.templates.phrases import Language
from zhiling.synthesis.constrain import Constrain
from zhiling.synthesis.reply_constraints import KINDS, Kind, measured
from zhiling.verification.constraints import check

REFUND = (
    "Open the order and choose Refund. The money comes back in 3 to 5 working days. "
    "Keep the parcel label until the money has arrived."
)
REFUND_ZH = "打开订单，点申请退款。退款在 3 到 5 个工作日内原路退回。\n\n面单请留好，直到退款到账。"
PAIRS = [
    ("How do I get a refund?", REFUND, "en"),
    ("怎样申请退款？", REFUND_ZH, "zh"),
    ("List three fruits.", "- apples\n- pears\n- plums", "en"),
    ("列出三种水果", "- 苹果\n- 梨\n- 李子", "zh"),
    ("Return it as JSON.", '{"answer": 4}', "en"),
]


def frame(**more: Any) -> pl.DataFrame:
    rows = [
        {
            "id": f"{number:032x}",
            "messages": [{"role": "user", "text": prompt}, {"role": "assistant", "text": reply}],
            "language": language,
            "task": None,
            "target": None,
        }
        | more
        for number, (prompt, reply, language) in enumerate(PAIRS)
    ]
    return conform(pl.DataFrame(rows, schema={name: ROW[name] for name in rows[0]}))


def made(step: Constrain, rows: pl.DataFrame) -> list[tuple[str, str, list[target.Constraint]]]:
    found = step.make(rows.filter(step.applies(rows)), Context(step_id="c", seed=1))
    assert list(found.failures) == []
    assert found.rows["task"].unique().to_list() in ([], ["controlled"])
    texts = [[message["text"] for message in messages] for messages in found.rows["messages"].to_list()]
    truths = map(target.Constraints.model_validate_json, found.rows["target"].to_list())
    return [(*each, truth.constraints) for each, truth in zip(texts, truths, strict=True)]  # type: ignore[misc]


def test_every_reply_meets_its_demands() -> None:
    rows = made(Constrain(per_input=20, most=8), frame())
    assert {prompt for prompt, _, _ in rows} == {prompt for prompt, _, _ in PAIRS}
    for prompt, reply, constraints in rows:
        assert (prompt, reply) in [each[:2] for each in PAIRS]
        assert 0 < len(constraints) <= 8
        assert [check(reply, each) for each in constraints] == [None] * len(constraints)
        kinds = [each.kind for each in constraints]
        assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_kind_is_measured_in_both_languages(kind: Kind) -> None:
    rows = made(Constrain(kinds=(kind,), per_input=3), frame())
    chinese = {any("\u4e00" <= each <= "\u9fff" for each in reply) for _, reply, _ in rows}
    assert chinese == ({False} if kind == "form" else {False, True})


def test_measured_by_example() -> None:
    prompt, reply, _ = PAIRS[1]
    (length,) = measured(prompt, reply, "zh", ["length"], 0.99, 8)
    assert (length.values, length.at_least, length.at_most) == (["段"], 2, 2)
    (term,) = measured(prompt, reply, "zh", ["frequency"], 0, 8)
    assert (term.values, term.at_least, term.at_most) == (["退款"], 3, 3)
    prompt, reply, _ = PAIRS[0]
    (opening,) = measured(prompt, reply, "en", ["starts_with"], 0, 8)
    assert opening.values == ["Open the order"]
    (closing,) = measured(prompt, reply, "en", ["ends_with"], 0, 8)
    assert closing.values == ["money has arrived."]
    (count,) = measured(prompt, reply, "en", ["frequency"], 0, 8)
    assert (count.values, count.at_least, count.at_most) == (["money"], 2, 2)
    assert measured("q", '{"a": 1}', "en", ["form"], 0, 8)[0].kind == "json"
    assert len(measured(prompt, reply, "en", KINDS, 0, 2)) == 2


def test_rows_of_other_forms_pass_by() -> None:
    step = Constrain()
    assert step.applies(frame()).all()
    assert not step.applies(frame(target='{"labels":["a"]}')).any()
    several = [{"role": role, "text": "x"} for role in ("user", "assistant", "user", "assistant")]
    assert not step.applies(frame(messages=several)).any()
    named = [{"role": "user", "text": "x", "name": "question"}, {"role": "assistant", "text": "y"}]
    assert not step.applies(frame(messages=named)).any()
    empty = [{"role": "user", "text": "x"}, {"role": "assistant", "text": " "}]
    assert not step.applies(frame(messages=empty)).any()
    system = [{"role": "system", "text": "s"}, *frame()["messages"].to_list()[0]]
    assert step.applies(frame(messages=system)).all()


def test_a_reply_in_another_language_than_its_row_says_gets_none() -> None:
    assert made(Constrain(), frame(language="zh").head(1)) == []
    assert made(Constrain(), frame(language=None).head(1)) != []


def test_templates_spell_the_demands_and_the_check_agrees(tmp_path: Path) -> None:
    lines = [json.dumps({"instruction": prompt, "output": reply}) for prompt, reply, _ in PAIRS]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    recipe = """\
version: 1
name: constrained
sources: [{id: rows, use: instructions, path: rows.jsonl}]
steps:
  - {id: demands, use: constrain, per_input: 5}
  - {id: words, use: template, only: {task: [controlled]}}
  - {id: checked, use: constraints}
"""
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    run = zhiling.Recipe.load(tmp_path / "recipe.yaml").run()
    rows = run.rows()
    written = [row for row in rows.iter_rows(named=True) if row["task"] == "controlled"]
    assert len(written) > len(PAIRS)
    assert not run.counts["rejected"]
    assert run.counts["kept"] == rows.height == len(PAIRS) + len(written)
    shown = "\n".join(message["text"] for row in written for message in row["messages"])
    assert "字" in shown
    assert "words" in shown


LANGUAGES: st.SearchStrategy[Language] = st.sampled_from(("en", "zh"))
TEXT = st.text('ab cd.,!\n#-{}"\u9000\u6b3e\u8ba2\u5355\uff0c\u3002 12', max_size=60)


@given(TEXT, TEXT, LANGUAGES, st.floats(0, 0.999))
def test_what_is_measured_always_holds(prompt: str, reply: str, language: Language, draw: float) -> None:
    for constraint in measured(prompt, reply, language, KINDS, draw, 8):
        assert check(reply, constraint) is None
