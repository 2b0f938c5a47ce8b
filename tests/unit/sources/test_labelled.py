"""Labelled sets: one label, several, tagged tokens and spans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.sources.labelled import Labelled
from zhiling.sources.token_tags import join, spans


def labelled(**settings: Any) -> Labelled:
    return Labelled(path="*", **settings)


def targets(rows: pl.DataFrame) -> list[Any]:
    return [None if target is None else json.loads(target) for target in rows["target"]]


def test_labels_of_every_kind(tmp_path: Path) -> None:
    items = [
        {"text": "a", "label": "refund"},
        {"text": "b", "label": ["refund", "delivery"]},
        {"text": "c", "label": 3},
        {"text": "d", "label": True},
        {"text": "e", "label": None},
        {"text": "f", "label": ""},
        {"text": "g", "label": []},
        {"text": "h", "label": {"x": 1}},
        {"label": "no text"},
    ]
    rows, bad = read(labelled(), [write_jsonl(tmp_path / "a.jsonl", items)], tmp_path)
    assert targets(rows) == [
        {"labels": ["refund"]},
        {"labels": ["refund", "delivery"], "multi": True},
        {"labels": ["3"]},
        {"labels": ["true"]},
        None,
        None,
        {"labels": [], "multi": True},
    ]
    assert rows["task"].to_list() == ["classification"] * 4 + ["utterance"] * 2 + ["classification"]
    assert told(bad) == [("a.jsonl:8", "wrong_type"), ("a.jsonl:9", "missing_field")]


def test_csv_with_mapped_fields(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("satz,thema,kunde\n你好,greeting,9\n", encoding="utf-16")
    source = labelled(fields={"text": "satz", "label": "thema"}, group="kunde", language="zh")
    rows, _ = read(source, [file], tmp_path)
    assert said(rows) == [[("user", "你好")]]
    assert rows.select("group", "language", "extra").rows() == [("9", "zh", None)]


def test_tokens_and_tags_become_text_and_spans(tmp_path: Path) -> None:
    items = [
        {"tokens": ["Anna", "Lee", "in", "New", "York"], "tags": ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"]},
        {
            "tokens": ["我", "在", "北", "京", "Apple", "店"],
            "tags": ["O", "O", "B-LOC", "I-LOC", "B-ORG", "O"],
        },
        {"tokens": ["a", "b"], "tags": ["O"]},
        {"tokens": ["a", 1], "tags": ["O", "O"]},
    ]
    rows, bad = read(labelled(), [write_jsonl(tmp_path / "a.jsonl", items)], tmp_path)
    assert said(rows) == [[("user", "Anna Lee in New York")], [("user", "我在北京 Apple 店")]]
    english, chinese = targets(rows)
    assert english["tokens"] == [[0, 4], [5, 8], [9, 11], [12, 15], [16, 20]]
    assert [(span["start"], span["end"], span["label"]) for span in english["spans"]] == [
        (0, 8, "PER"),
        (12, 20, "LOC"),
    ]
    assert [(span["start"], span["end"], span["label"]) for span in chinese["spans"]] == [
        (2, 4, "LOC"),
        (5, 10, "ORG"),
    ]
    assert rows["task"].to_list() == ["ner", "ner"]
    assert told(bad) == [("a.jsonl:3", "ragged_tokens"), ("a.jsonl:4", "wrong_type")]
    assert "2 tokens but 1 tags" in bad[0].message


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-A", "I-A", "B-A"], [(0, 3, "A"), (4, 5, "A")]),
        (["I-A", "I-A", "I-B"], [(0, 3, "A"), (4, 5, "B")]),
        (["S-A", "B-A", "E-A"], [(0, 1, "A"), (2, 5, "A")]),
        (["U-A", "U-A", "O"], [(0, 1, "A"), (2, 3, "A")]),
        (["A", "A", "O"], [(0, 3, "A")]),
        (["B-A", "O", "I-A"], [(0, 1, "A"), (4, 5, "A")]),
        (["O", "", "O"], []),
    ],
)
def test_tag_schemes(tags: list[str], expected: list[tuple[int, int, str]]) -> None:
    _, places = join(["x", "y", "z"])
    assert [(span["start"], span["end"], span["label"]) for span in spans(tags, places)] == expected


def test_spans_are_checked_against_the_text(tmp_path: Path) -> None:
    items = [
        {"text": "Call 😀 Anna", "spans": [{"start": 7, "end": 11, "label": "PER"}]},
        {"text": "Anna", "entities": [[0, 4, "PER"]], "spans": [[0, 4, "PER"]]},
        {"text": "none", "spans": []},
        {"text": "short", "spans": [{"start": 2, "end": 9, "label": "X"}]},
        {"text": "short", "spans": [{"start": "2", "end": 3, "label": "X"}]},
        {"text": "unlabelled"},
    ]
    rows, bad = read(labelled(), [write_jsonl(tmp_path / "a.jsonl", items)], tmp_path)
    found = targets(rows)
    assert found[0] == {"spans": [{"message": 0, "start": 7, "end": 11, "label": "PER"}]}
    assert "Call 😀 Anna"[7:11] == "Anna"
    assert found[1:] == [
        {"spans": [{"message": 0, "start": 0, "end": 4, "label": "PER"}]},
        {"spans": []},
        None,
    ]
    assert told(bad) == [("a.jsonl:4", "span_outside"), ("a.jsonl:5", "wrong_type")]


def test_a_named_label_wins_over_entities(tmp_path: Path) -> None:
    item = {"text": "Anna", "intent": "name", "spans": [[0, 4, "PER"]]}
    rows, _ = read(
        labelled(fields={"label": "intent"}), [write_jsonl(tmp_path / "a.jsonl", [item])], tmp_path
    )
    assert targets(rows) == [{"labels": ["name"]}]
    assert json.loads(rows["extra"][0]) == {"spans": [[0, 4, "PER"]]}
