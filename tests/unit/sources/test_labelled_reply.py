"""Texts with replies: translations, summaries, instructions, programs with tests, words that must occur."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.labelled_sets import read_items, targets
from tests.unit.sources.reading import said, told
from zhiling.errors import UsageError


def others(rows: pl.DataFrame) -> list[list[tuple[str, str]]]:
    return [
        [(each["kind"], each["messages"][0]["text"]) for each in alternatives or []]
        for alternatives in rows["alternatives"].to_list()
    ]


def test_columns_called_by_languages_are_translations(tmp_path: Path) -> None:
    items = [{"id": 1, "zh": "你好", "en": "Hello"}, {"id": 2, "zh": "", "en": "x"}, {"id": 3, "zh": "二"}]
    rows, bad = read_items(tmp_path, items)
    assert said(rows) == [[("user", "你好"), ("assistant", "Hello")], [("user", "二")]]
    assert targets(rows) == [{"source_language": "zh", "target_language": "en"}, None]
    assert rows["language"].to_list() == ["zh", "zh"]
    assert rows["task"].to_list() == ["translation", "utterance"]
    assert told(bad) == [("a.jsonl:2", "empty_text")]


def test_the_direction_is_the_recipes(tmp_path: Path) -> None:
    items = [{"translation": {"en": "Hello", "zh": ["你好", "您好"]}}]
    fields = {"source": "translation.en", "target": "translation.zh"}
    rows, _ = read_items(tmp_path, items, fields=fields)
    assert said(rows) == [[("user", "Hello"), ("assistant", "你好")]]
    assert others(rows) == [[("chosen", "您好")]]
    assert targets(rows) == [{"source_language": "en", "target_language": "zh"}]


def test_languages_that_nobody_tells(tmp_path: Path) -> None:
    items = [{"source": "Hallo", "target": "Hello"}]
    with pytest.raises(UsageError, match="languages: \\[en, zh\\]"):
        read_items(tmp_path, items, kind="translation")
    rows, _ = read_items(tmp_path, items, kind="translation", languages=("de", "en"))
    assert targets(rows) == [{"source_language": "de", "target_language": "en"}]


def test_summaries_in_every_form(tmp_path: Path) -> None:
    items = [
        {"dialogue": "A: hi", "summaries": """['Short.', "It's"]"""},
        {"dialogue": "甲：你好", "summaries": ["短", "短", "更短"]},
        {"dialogue": "B: hi", "summaries": '["JSON"]'},
        {"dialogue": "C: hi", "summaries": "['broken"},
        {"dialogue": "D: hi", "summaries": "[f(1)]"},
        {"dialogue": "D: hi", "summaries": "['\\ud800']"},
        {"dialogue": "E: hi", "summaries": []},
        {"dialogue": "F: hi", "summaries": ["a", 1.5, {}]},
        {"dialogue": "", "summaries": ["a"]},
    ]
    rows, bad = read_items(tmp_path, items)
    assert [messages[-1] for messages in said(rows)] == [
        ("assistant", "Short."), ("assistant", "短"), ("assistant", "JSON"), ("user", "E: hi"),
    ]  # fmt: skip
    assert others(rows) == [[("chosen", "It's")], [("chosen", "更短")], [], []]
    assert rows["task"].to_list() == ["summarisation"] * 3 + ["utterance"]
    assert told(bad) == [
        ("a.jsonl:4", "broken_list"), ("a.jsonl:5", "broken_list"), ("a.jsonl:6", "broken_list"),
        ("a.jsonl:8", "wrong_type"), ("a.jsonl:9", "empty_text"),
    ]  # fmt: skip


def test_a_long_literal_is_not_parsed(tmp_path: Path) -> None:
    items = [{"text": "a", "summaries": "['" + "x" * 100_000 + "']"}, {"text": "a", "summaries": "[" * 9_000}]
    _, bad = read_items(tmp_path, items)
    assert told(bad) == [("a.jsonl:1", "broken_list"), ("a.jsonl:2", "broken_list")]


def test_a_summary_is_a_text_also_where_it_begins_with_a_bracket(tmp_path: Path) -> None:
    rows, _ = read_items(tmp_path, [{"document": "x", "summary": "[Applause] ok"}])
    assert said(rows) == [[("user", "x"), ("assistant", "[Applause] ok")]]


def test_a_label_beside_a_summary_leaves_the_kind_to_the_recipe(tmp_path: Path) -> None:
    items = [{"text": "great", "summary": "s", "label": "good"}]
    assert read_items(tmp_path, items)[0]["task"].to_list() == ["classification"]
    assert read_items(tmp_path, items, kind="summary")[0]["task"].to_list() == ["summarisation"]


def test_several_right_replies(tmp_path: Path) -> None:
    items = [{"instruction": "说你好", "output": ["你好", "您好"]}, {"instruction": "x", "output": "y"}]
    rows, _ = read_items(tmp_path, items, kind="reply", task="sequence")
    assert said(rows) == [[("user", "说你好"), ("assistant", "你好")], [("user", "x"), ("assistant", "y")]]
    assert (others(rows), rows["task"].to_list()) == ([[("chosen", "您好")], []], ["sequence"] * 2)


def test_programs_with_tests(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [
        {"text": "加一", "code": "def f(x):\r\n    return x + 1\r", "test_list": ["assert f(1) == 2"]},
        {"text": "b", "code": "x = y", "test_list": ["assert x"], "test_setup_code": "y = 1\r\n"},
        {"text": "c", "code": "x", "test_list": []},
        {"text": "d", "code": "x", "test_list": 7},
        {"text": "e", "code": None, "test_list": ["assert x"]},
    ]
    rows, bad = read_items(tmp_path, items)
    assert said(rows)[0] == [("user", "加一"), ("assistant", "def f(x):\n    return x + 1\n")]
    assert targets(rows) == [
        {"tests": ["assert f(1) == 2"], "language": "python"},
        {"tests": ["assert x"], "setup": "y = 1\n", "language": "python"},
        None,
        {"tests": ["assert x"], "language": "python"},
    ]
    assert told(bad) == [("a.jsonl:4", "wrong_type")]


def test_a_program_that_is_begun_and_its_entry_point(tmp_path: Path) -> None:
    item = {
        "prompt": 'def add(a, b):\n    """求和"""\n', "canonical_solution": "    return a + b\n",
        "test": "def check(f):\n    assert f(1, 2) == 3", "entry_point": "add",
    }  # fmt: skip
    rows, _ = read_items(tmp_path, [item])
    (_, program), (test,) = said(rows)[0][1], targets(rows)[0]["tests"]
    assert program == item["prompt"] + item["canonical_solution"]
    exec(compile(f"{program}\n{test}", "program", "exec"), {})
    with pytest.raises(AssertionError):
        exec(compile(f"{program.replace('+', '-')}\n{test}", "program", "exec"), {})


def test_words_that_a_reply_must_hold(tmp_path: Path) -> None:
    items = [
        {"concepts": ["ski", "mountain"], "target": "They ski down the mountain."},
        {"concepts": "雪、山", "target": ["雪下在山上。", "山上有雪。"]},
        {"concepts": "a, b", "target": "a b"},
        {"concepts": ["a", 7], "target": "x"},
        {"concepts": "", "target": "x"},
    ]
    rows, bad = read_items(tmp_path, items)
    assert said(rows)[:2] == [
        [("user", "ski, mountain"), ("assistant", "They ski down the mountain.")],
        [("user", "雪、山"), ("assistant", "雪下在山上。")],
    ]
    assert [each["constraints"][0]["values"] for each in targets(rows)] == [
        ["ski", "mountain"], ["雪", "山"], ["a", "b"],
    ]  # fmt: skip
    assert others(rows)[1] == [("chosen", "山上有雪。")]
    assert rows["task"].unique().to_list() == ["controlled"]
    assert told(bad) == [("a.jsonl:4", "wrong_type"), ("a.jsonl:5", "empty_text")]
