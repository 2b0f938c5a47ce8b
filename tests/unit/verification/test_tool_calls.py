"""Tool calls: names, arguments, results and replies by schema; each kind of fault in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zhiling.errors import MissingInput, UsageError
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import nest
from zhiling.verification.schemas import broken_rule
from zhiling.verification.tool_calls import ToolCalls

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}, {"name": "时间"}]


def call(arguments: Any, name: str = "weather", id: str | None = "c1") -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": text}}


def judged(
    *turns: dict[str, Any], tools: Any = TOOLS, step: ToolCalls | None = None, root: Path = Path()
) -> dict[str, Any]:
    lines = [{"role": "user", "text": "?"}, *turns]
    flat = pl.DataFrame(
        lines, schema=dict.fromkeys(("role", "text", "tool_calls", "tool_call_id"), pl.String)
    )
    text = tools if isinstance(tools, str) or tools is None else json.dumps(tools)
    rows = pl.DataFrame({"messages": nest(flat, [len(lines)])}).with_columns(
        tools=pl.lit(text, dtype=pl.String)
    )
    step = step or ToolCalls()
    assert step.applies(rows).all()
    return step.decide(rows, Context("x", root=root)).row(0, named=True)


def asks(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": json.dumps(calls, ensure_ascii=False)}


def gives(id: str | None = "c1") -> dict[str, Any]:
    return {"role": "tool", "text": "{}", "tool_call_id": id}


SAYS = {"role": "assistant", "text": "晴。"}


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([asks(call({"city": "松德"})), gives(), SAYS], None),
        ([asks(call({"city": "Sund", "days": 2}))], None),
        ([asks({"name": "时间", "arguments": {}}), gives(None), SAYS], None),
        ([asks(call({"city": "Sund"}), call("", "时间", "c2")), gives("c2"), gives(), SAYS], None),
        ([asks(call({"city": "Sund"}, "wether"))], "unknown_tool"),
        ([asks(call({"days": 2}))], "wrong_arguments"),
        ([asks(call({"city": 3}))], "wrong_arguments"),
        ([asks(call({"city": "松德", "days": 0}))], "wrong_arguments"),
        ([asks(call({"city": "Sund", "country": "X"}))], "wrong_arguments"),
        ([asks(call('{"city": '))], "broken_call"),
        ([asks(call("[1]"))], "broken_call"),
        ([asks({"arguments": {}})], "broken_call"),
        ([{"role": "assistant", "tool_calls": "weather("}], "broken_call"),
        ([asks(call({"city": "Sund"})), SAYS], "unanswered_call"),
        ([asks(call({"city": "Sund"})), gives("c9"), SAYS], "unanswered_call"),
        ([asks(call({"city": "Sund"})), gives(), gives(), SAYS], "stray_result"),
        ([gives(), SAYS], "stray_result"),
    ],
)
def test_calls_fit_the_tools(turns: list[dict[str, Any]], reason: str | None) -> None:
    assert judged(*turns)["reason"] == reason


def test_without_tools_the_form_alone_is_judged() -> None:
    assert judged(asks(call({"x": 1}, "anything")), tools=None)["reason"] is None
    assert judged(asks(call("{", "anything")), tools=None)["reason"] == "broken_call"
    assert judged(asks(call({"city": "a", "x": 1})), step=ToolCalls(unnamed_arguments=True))["reason"] is None
    for broken in ("{", "{}", '[{"x": 1}]', json.dumps([{"name": "weather", "parameters": {"type": "hat"}}])):
        assert judged(asks(call({"city": "a"})), tools=broken)["reason"] == "broken_tools"


def test_replies_fit_a_schema(tmp_path: Path) -> None:
    step = ToolCalls(reply_schema="schema.json")
    with pytest.raises(MissingInput, match=r"schema\.json"):
        judged(SAYS, step=step, root=tmp_path)
    (tmp_path / "schema.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"schema\.json"):
        judged(SAYS, step=step, root=tmp_path)
    (tmp_path / "schema.json").write_text(json.dumps(PARAMETERS), encoding="utf-8")
    for reply, reason in (
        ('{"city": "松德"}', None),
        ('```json\n{"city": "Sund"}\n```', None),
        ('{"days": 3}', "wrong_reply"),
        ("Sund", "wrong_reply"),
        (None, "wrong_reply"),
    ):
        assert judged({"role": "assistant", "text": reply}, step=step, root=tmp_path)["reason"] == reason


def test_a_broken_rule_is_told_with_its_place() -> None:
    assert broken_rule({"city": "a", "days": 0}, PARAMETERS) == "/days: 0 is less than the minimum of 1"
    inner = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
    assert broken_rule([1, 2], inner) is None
    assert broken_rule([1, "二"], inner) == "/1: '二' is not of type 'integer'"
    assert broken_rule([], True) is None
    for schema in ({"type": "hat"}, {"$ref": "http://a.example/b"}, "x"):
        with pytest.raises(UsageError):
            broken_rule({}, schema)
