"""Entities: token lines, tokens in records, and spans in the forms that public sets have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.labelled_sets import read_items, targets
from tests.unit.sources.reading import read, said, told
from zhiling.sources.labelled import Labelled

TOKENS = """-DOCSTART- -X- O

Anna NNP B-PER
moved VBD O

-DOCSTART- -X- O

北京 NR B-LOC
大学 NN I-LOC
"""


def spans(rows: Any) -> list[list[tuple[int, int, str]] | None]:
    return [
        None if each is None else [(s["start"], s["end"], s["label"]) for s in each["spans"]]
        for each in targets(rows)
    ]


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.bio"])
@pytest.mark.parametrize("between", [" ", "\t", "  "])
def test_token_lines(name: str, between: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(TOKENS.replace(" ", between), encoding="utf-8")
    rows, bad = read(Labelled(path="*"), [tmp_path / name], tmp_path)
    assert bad == []
    assert said(rows) == [[("user", "Anna moved")], [("user", "北京大学")]]
    assert spans(rows) == [[(0, 4, "PER")], [(0, 4, "LOC")]]
    assert rows["locator"].to_list() == [f"{name}:3", f"{name}:8"]
    assert rows["group"].to_list() == [f"{name}#document 1", f"{name}#document 2"]
    assert rows["extra"].to_list() == ['{"column_2":["NNP","VBD"]}', '{"column_2":["NR","NN"]}']


def test_another_column_may_hold_the_tags(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(TOKENS.replace(" ", "\t"), encoding="utf-8")
    rows, _ = read(Labelled(path="*", fields={"tags": "column_2"}), [tmp_path / "a.conll"], tmp_path)
    assert targets(rows)[0]["tags"] == ["NNP", "VBD"]


def test_a_sentence_with_ragged_or_unreadable_lines_is_left_out_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.conll"
    file.write_bytes(b"a O\nb\n\nc O\n\nd O\n\xff\xff\xfe O\ne O\n\nf O")
    rows, bad = read(Labelled(path="*", encoding="utf-8"), [file], tmp_path)
    assert said(rows) == [[("user", "c")], [("user", "f")]]
    assert told(bad) == [
        ("a.conll:2", "ragged_tokens"), ("a.conll:7", "undecodable"), ("a.conll:6", "damaged_sentence"),
    ]  # fmt: skip
    file.write_text("")
    assert told(read(Labelled(path="*"), [file], tmp_path)[1]) == [("a.conll:1", "empty_file")]


def test_a_file_without_blank_lines_is_no_file_of_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhiling.sources.labelled.conll.MAX_TOKENS", 3)
    (tmp_path / "a.conll").write_text("a O\nb O\nc O\nd O\n\ne O\n")
    rows, bad = read(Labelled(path="*"), [tmp_path / "a.conll"], tmp_path)
    assert (said(rows), told(bad)) == ([[("user", "e")]], [("a.conll:1", "sentence_too_long")])


def test_a_text_file_with_a_header_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text,label\nhello,O\n")
    rows, bad = read(Labelled(path="*"), [tmp_path / "a.txt"], tmp_path)
    assert (targets(rows), bad) == ([{"labels": ["O"]}], [])


def test_tags_that_are_numbers_get_their_names(tmp_path: Path) -> None:
    item = {"tokens": ["Anna", "in", "Rome"], "ner_tags": [1, 0, 3]}
    rows, bad = read_items(
        tmp_path, [item, {**item, "ner_tags": [1, 0, 9]}], names=("O", "B-PER", "I-PER", "B-LOC")
    )
    assert spans(rows) == [[(0, 4, "PER"), (8, 12, "LOC")]]
    assert told(bad) == [("a.jsonl:2", "unknown_label")]


TEXT = "Call Anna in 北京。"
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("objects", {"spans": [{"start": 5, "end": 9, "label": "PER"}, {"start": 13, "end": 15, "type": "LOC"}]}),
    ("lists", {"entities": [[5, 9, "PER"], [13, 15, "LOC"]]}),
    ("a field of labels", {"label": [[5, 9, "PER"], [13, 15, "LOC"]]}),
    ("by type", {"label": {"PER": {"Anna": [[5, 8]]}, "LOC": {"北京": [[13, 14]]}}}),
    (
        "inclusive, with surfaces",
        {
            "spans": [
                {"start": 5, "end": 8, "label": "PER", "text": "Anna"},
                {"start": 13, "end": 14, "label": "LOC", "text": "北京"},
            ]
        },
    ),
    (
        "value spans",
        {
            "spans": [
                {"slot": "PER", "valueSpan": {"startIndex": 5, "endIndex": 9}},
                {"slot": "LOC", "valueSpan": {"startIndex": 13, "endIndex": 15}},
            ]
        },
    ),
]


@pytest.mark.parametrize(("form", "item"), FORMS)
def test_forms_of_spans(form: str, item: dict[str, Any], tmp_path: Path) -> None:
    rows, bad = read_items(tmp_path, [{"text": TEXT, **item}])
    assert (spans(rows), bad) == ([[(5, 9, "PER"), (13, 15, "LOC")]], []), form
    assert [TEXT[s:e] for s, e, _ in spans(rows)[0] or []] == ["Anna", "北京"]


def test_a_start_that_protocol_buffers_leave_out_is_zero(tmp_path: Path) -> None:
    item = {"text": "Anna", "spans": [{"slot": "PER", "valueSpan": {"endIndex": 4}}]}
    rows, _ = read_items(tmp_path, [item, {"text": "Anna", "spans": [{"label": "PER", "end": 4}]}])
    assert spans(rows) == [[(0, 4, "PER")]]


def test_one_entity_in_columns(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "text,start_offset,end_offset,entity_value,entity_type\n"
        "Hi Anna,3,7,Anna,name\nHi,,,,\n你好安娜,2,3,安,名\n"
        "Hi Anna,2,6,Anna,name\nHi Anna,x,6,Anna,name\n",
        encoding="utf-8",
    )
    rows, bad = read(Labelled(path="*", absent="none"), [file], tmp_path)
    assert spans(rows) == [[(3, 7, "name")], [], [(2, 3, "名")]]
    assert told(bad) == [("a.csv:5", "span_mismatch"), ("a.csv:6", "wrong_type")]
    assert rows["task"].to_list() == ["ner"] * 3
    unlabelled, _ = read(Labelled(path="*"), [file], tmp_path)
    assert unlabelled["task"].to_list() == ["ner", "utterance", "ner"]


def test_most_surfaces_say_how_ends_are_told(tmp_path: Path) -> None:
    """A place that is off by one in a set of exclusive ends is not taken for an inclusive one."""
    good = {"text": "Anna", "spans": [{"start": 0, "end": 4, "label": "PER", "text": "Anna"}]}
    off = {"text": "Anna!", "spans": [{"start": 0, "end": 3, "label": "PER", "text": "Anna"}]}
    rows, bad = read_items(tmp_path, [off, good, good])
    assert (rows.height, told(bad)) == (2, [("a.jsonl:1", "span_mismatch")])
    rows, bad = read_items(tmp_path, [off, good, good], ends="inclusive")
    assert (spans(rows), [each.cls for each in bad]) == ([[(0, 4, "PER")]], ["span_outside"] * 2)
    rows, bad = read_items(tmp_path, [off, good, good], mismatch="relocate")
    assert (spans(rows), bad) == ([[(0, 4, "PER")]] * 3, [])


def test_a_surface_that_stands_twice_cannot_be_relocated(tmp_path: Path) -> None:
    item = {"text": "aa 啊 aa", "spans": [{"start": 1, "end": 3, "label": "X", "text": "aa"}]}
    rows, bad = read_items(tmp_path, [item], mismatch="relocate", ends="exclusive")
    assert (rows.height, told(bad)) == (0, [("a.jsonl:1", "span_mismatch")])
    assert "'a ', not 'aa'" in bad[0].message


@pytest.mark.parametrize(
    "spans",
    [7, "x", [7], [[0, 1]], [{"start": 0, "end": 1}], {"PER": 3}, {"PER": {"A": [[0]]}}, [[0, 1, None]]],
)
def test_spans_that_are_none_are_told(spans: Any, tmp_path: Path) -> None:
    rows, bad = read_items(tmp_path, [{"text": "Anna", "spans": spans}])
    assert (rows.height, told(bad)) == (0, [("a.jsonl:1", "wrong_type")])
