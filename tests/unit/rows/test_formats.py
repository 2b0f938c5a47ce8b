"""Formats: what stands in the files, what is counted as lost, and files that appear whole or not at all."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zhiling.pipeline.registry import load, table
from zhiling.rows.formats.alpaca import Alpaca
from zhiling.rows.formats.csv import Csv
from zhiling.rows.formats.format import Format
from zhiling.rows.formats.messages import Messages
from zhiling.rows.formats.text import Text
from zhiling.rows.schema import ROW

AWKWARD = 'a "quote"\\ \n\t\r\u2028\u0001 😀 中文 </s> {"x": 1}'


def message(role: str, text: str | None, **more: Any) -> dict[str, Any]:
    return {"role": role, "text": text, **more}


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows of the record; what is left out is null."""
    defaults = {"id": "0", "origin": {"source": "logs", "locator": "a.jsonl:1"}}
    full = [{**dict.fromkeys(ROW), **defaults, **row} for row in rows]
    return pl.DataFrame(full, schema=ROW)


def written(form: Format, rows: Sequence[dict[str, Any]], tmp_path: Path) -> tuple[list[Any], dict[str, int]]:
    """The lines as JSON, and the losses."""
    path = tmp_path / "out.jsonl"
    result = form.write(frame(rows), path)
    assert result.rows == len(rows)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]], dict(
        result.losses
    )


PLAIN = {"id": "r1", "messages": [message("user", AWKWARD), message("assistant", "yes")]}
LABELLED = {"messages": [message("user", "card?")], "target": '{"labels":["card","delay"]}'}
CHAT = {
    "messages": [
        message("system", "Be kind."),
        message("user", "q1"),
        message("assistant", "r1"),
        message("user", "q2"),
        message("assistant", ""),
    ]
}


def test_messages_keep_every_character_and_the_order(tmp_path: Path) -> None:
    lines, losses = written(Messages(), [PLAIN, CHAT, LABELLED], tmp_path)
    assert lines[0] == {
        "messages": [{"role": "user", "content": AWKWARD}, {"role": "assistant", "content": "yes"}]
    }
    assert [(m["role"], m["content"]) for m in lines[1]["messages"]] == [
        ("system", "Be kind."),
        ("user", "q1"),
        ("assistant", "r1"),
        ("user", "q2"),
        ("assistant", ""),
    ]
    assert lines[2]["messages"][1] == {"role": "assistant", "content": "card, delay"}
    assert losses == {}


def test_messages_with_tools_calls_names_and_weights(tmp_path: Path) -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}]
    row = {
        "tools": '[\n {"type": "function"}\n]',
        "messages": [
            message("user", "q", name="Ann"),
            message("assistant", None, tool_calls=json.dumps(calls), weight=0.0),
            message("tool", "found", tool_call_id="c1"),
            message("assistant", "done", reasoning="because"),
        ],
    }
    lines, losses = written(Messages(with_id=True), [{**row, "id": "x"}, PLAIN], tmp_path)
    assert lines[0] == {
        "id": "x",
        "messages": [
            {"role": "user", "content": "q", "name": "Ann"},
            {"role": "assistant", "content": None, "weight": 0.0, "tool_calls": calls},
            {"role": "tool", "content": "found", "tool_call_id": "c1"},
            {"role": "assistant", "content": "done", "reasoning": "because"},
        ],
        "tools": [{"type": "function"}],
    }
    assert lines[1]["id"] == "r1"
    assert "tools" not in lines[1]
    assert losses == {}


def test_what_no_format_holds_is_counted(tmp_path: Path) -> None:
    answer = {"messages": [message("assistant", "b")], "kind": "rejected", "rank": None, "score": None}
    image = {"kind": "image", "path": "a.png", "sha256": "0", "at": 0}
    rows = [
        {**PLAIN, "alternatives": [answer]},
        {"messages": [message("user", "look", media=[image, image]), message("assistant", "a lamp")]},
        {**PLAIN, "target": '{"labels":["x"]}'},
        {"messages": [message("user", "Anna")], "target": '{"spans":[]}'},
    ]
    expected = {"alternatives": 1, "media": 1, "target": 2}
    assert written(Messages(), rows, tmp_path)[1] == {"alternatives": 1, "target": 2}
    assert written(Text(), rows, tmp_path)[1] == {**expected, "roles": 4}
    assert written(Alpaca(), rows, tmp_path)[1] == {"alternatives": 1, "target": 2, "no_reply": 1}
    assert Csv().write(frame(rows), tmp_path / "a.csv").losses == {**expected, "target": 1}


def test_alpaca_puts_earlier_turns_into_history(tmp_path: Path) -> None:
    lines, losses = written(Alpaca(with_id=True), [PLAIN, CHAT, LABELLED], tmp_path)
    assert lines[0] == {
        "id": "r1",
        "instruction": AWKWARD,
        "input": "",
        "output": "yes",
        "system": "",
        "history": [],
    }
    assert (lines[1]["system"], lines[1]["history"]) == ("Be kind.", [["q1", "r1"]])
    assert (lines[1]["instruction"], lines[1]["output"]) == ("q2", "")
    assert lines[2]["output"] == "card, delay"
    assert losses == {}


@pytest.mark.parametrize(
    ("roles", "history", "pair", "losses"),
    [
        ("user user assistant", [], ("0\n1", "2"), {"turn_boundaries": 1}),
        ("user assistant assistant", [], ("0", "1\n2"), {"turn_boundaries": 1}),
        ("assistant user assistant", [["", "0"]], ("1", "2"), {"leading_reply": 1}),
        ("user assistant system user assistant", [["0", "1"]], ("3", "4"), {"system_in_middle": 1}),
        ("user assistant user", [["0", "1"]], ("2", ""), {"no_reply": 1}),
        ("user assistant tool assistant", [], ("0", "1\n3"), {"role_tool": 1, "turn_boundaries": 1}),
        ("system system user assistant", [], ("2", "3"), {"system_boundaries": 1}),
    ],
)
def test_alpaca_counts_what_it_bends(
    tmp_path: Path, roles: str, history: list[list[str]], pair: tuple[str, str], losses: dict[str, int]
) -> None:
    row = {"messages": [message(role, str(index)) for index, role in enumerate(roles.split())]}
    lines, counted = written(Alpaca(), [row], tmp_path)
    assert (lines[0]["history"], (lines[0]["instruction"], lines[0]["output"])) == (history, pair)
    assert counted == losses


def test_csv_has_text_reply_label_and_place(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    result = Csv().write(frame([PLAIN, CHAT, {**LABELLED, "language": "en"}]), path)
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    assert [list(record.values()) for record in records] == [
        ["r1", AWKWARD, "yes", "", "", "logs", "a.jsonl:1"],
        ["0", "q2", "", "", "", "logs", "a.jsonl:1"],
        ["0", "card?", "", "card, delay", "en", "logs", "a.jsonl:1"],
    ]
    assert result.losses == {"system": 1, "earlier_turns": 1}


@pytest.mark.parametrize("name", sorted(table("format")))
def test_frames_one_by_one_give_the_bytes_of_one_frame(tmp_path: Path, name: str) -> None:
    form = load("format", name)()
    rows = frame([PLAIN, CHAT, LABELLED] * 5)
    whole = form.write(rows, tmp_path / "whole")
    with form.open(tmp_path / "parts.gz") as writer:
        for part in rows.iter_slices(4):
            writer.write(part)
        writer.write(rows.head(0))
    assert writer.written == whole
    with gzip.open(tmp_path / "parts.gz") as file:
        assert file.read() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "parts.gz").read_bytes()[4:8] == bytes(4)  # no time in it: equal rows, equal bytes


@pytest.mark.parametrize("name", sorted(table("format")))
def test_no_rows_give_a_file_and_steps_columns_are_ignored(tmp_path: Path, name: str) -> None:
    form = load("format", name)()
    assert form.write(frame([]), tmp_path / "empty").rows == 0
    assert (tmp_path / "empty").read_bytes() == form.header() + form.encoder().finish()
    measured = frame([PLAIN]).with_columns(pl.lit(1.0).alias("pair.score"))
    assert form.write(measured, tmp_path / "measured").rows == 1


def fail_while_writing(path: Path) -> None:
    with Messages().open(path) as writer:
        writer.write(frame([PLAIN]))
        raise KeyError


def test_a_file_that_is_not_completed_never_appears(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old\n", encoding="utf-8")
    with pytest.raises(KeyError):
        fail_while_writing(path)
    assert path.read_text(encoding="utf-8") == "old\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]
