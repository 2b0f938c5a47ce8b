"""Labelled sets: one label, several, tagged tokens and spans."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.unit.sources.labelled_sets import named, read_items, targets
from tests.unit.sources.reading import read, said, told, write_jsonl
from zhiling.errors import DamagedFile, MissingInput, UsageError
from zhiling.sources.labelled import Labelled
from zhiling.sources.labelled.token_tags import spans
from zhiling.text.spacing import join


def labelled(**settings: Any) -> Labelled:
    return Labelled(path="*", **settings)


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
    assert said(rows) == [[("user", "Anna Lee in New York")], [("user", "我在北京Apple店")]]
    english, chinese = targets(rows)
    assert english["tokens"] == [[0, 4], [5, 8], [9, 11], [12, 15], [16, 20]]
    assert [(span["start"], span["end"], span["label"]) for span in english["spans"]] == [
        (0, 8, "PER"),
        (12, 20, "LOC"),
    ]
    assert [(span["start"], span["end"], span["label"]) for span in chinese["spans"]] == [
        (2, 4, "LOC"),
        (4, 9, "ORG"),
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


def test_several_labels_in_one_text(tmp_path: Path) -> None:
    items = [
        {"text": "a", "label": "late| broken |"},
        {"text": "迟到", "label": "迟"},
        {"text": "c", "label": ["x|y"]},
        {"text": "d", "label": ""},
    ]
    rows, bad = read_items(tmp_path, items, separator="|")
    assert bad == []
    assert targets(rows) == [
        {"labels": ["late", "broken"], "multi": True},
        {"labels": ["迟"], "multi": True},
        {"labels": ["x|y"], "multi": True},
        None,
    ]


@pytest.mark.parametrize(
    "names", [("negative", "positive"), {"0": "negative", "1": "positive"}, "names.json", "names.txt"]
)
def test_labels_that_are_numbers_get_their_names(names: Any, tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text('{"0": "negative", "1": "positive"}')
    (tmp_path / "names.txt").write_text("negative\npositive\n")
    items = [{"text": "a", "label": 1}, {"text": "b", "label": "0"}, {"text": "c", "label": 7}]
    source = labelled(names=names)
    file = write_jsonl(tmp_path / "a.jsonl", items)
    rows, bad = read(source, [file], tmp_path)
    assert targets(rows) == [{"labels": ["positive"]}, {"labels": ["negative"]}]
    assert told(bad) == [("a.jsonl:3", "unknown_label")]
    assert list(source.further_files([file], tmp_path)) == (
        [tmp_path / names] if isinstance(names, str) else []
    )


def test_files_of_names_that_hold_none(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "a", "label": 1}])
    for content, message in (("[]", "no names"), ("{", "not JSON"), ("[1]", "no names")):
        (tmp_path / "names.json").write_text(content)
        with pytest.raises(UsageError, match=message):
            read(labelled(names="names.json"), [file], tmp_path)
    with pytest.raises(MissingInput, match=r"none\.json"):
        read(labelled(names="none.json"), [file], tmp_path)


def test_a_label_that_says_there_is_none(tmp_path: Path) -> None:
    items = [
        {"first": "a", "second": "b", "label": "-"},
        {"first": "前提", "second": "假设", "label": "蕴含"},
    ]
    rows, _ = read_items(tmp_path, items, missing=("-",))
    assert targets(rows) == [None, {"labels": ["蕴含"]}]
    assert rows["task"].to_list() == ["utterance", "matching"]


def test_scores(tmp_path: Path) -> None:
    items = [{"text": "a", "rating": 3}, {"text": "b", "rating": "4.5"}, {"text": "c", "rating": "good"}]
    rows, bad = read_items(tmp_path, items, fields={"score": "rating"})
    assert targets(rows) == [{"score": 3.0}, {"score": 4.5}]
    assert told(bad) == [("a.jsonl:3", "wrong_type")]


@pytest.mark.parametrize(
    "names", [("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")]
)
def test_pairs_are_known_by_their_fields(names: tuple[str, str], tmp_path: Path) -> None:
    item = {names[0]: "他在北京。", names[1]: "He is in Beijing.", "label": "same", "vote": 2}
    rows, bad = read_items(tmp_path, [item, {names[0]: "a"}, {names[0]: "a", names[1]: " ", "label": "x"}])
    assert named(rows) == [[("user", "first", "他在北京。"), ("user", "second", "He is in Beijing.")]]
    assert rows.select("task", "extra").row(0) == ("matching", '{"vote":2}')
    assert told(bad) == [("a.jsonl:2", "missing_field"), ("a.jsonl:3", "empty_text")]


def test_empty_texts_are_told(tmp_path: Path) -> None:
    items = [{"text": "", "label": "x"}, {"text": " \n", "label": "x"}, {"text": "a", "label": "x"}]
    rows, bad = read_items(tmp_path, items)
    assert (rows.height, told(bad)) == (1, [("a.jsonl:1", "empty_text"), ("a.jsonl:2", "empty_text")])


def test_nested_fields_are_lifted_and_the_rest_stays(tmp_path: Path) -> None:
    item = {
        "user": {"said": {"text": "你好"}, "id": 7},
        "meta": {"kind": "greeting"},
        "set": {"licence": "MIT"},
    }
    fields = {"text": "user.said.text", "label": "meta.kind"}
    rows, _ = read_items(tmp_path, [item], fields=fields, group="user.id", licence_field="set.licence")
    assert said(rows) == [[("user", "你好")]]
    assert rows.select("group", "licence", "extra").row(0) == ("7", "MIT", None)


def test_records_are_chosen_by_value(tmp_path: Path) -> None:
    items = [{"text": str(number), "task": task, "meta": {"n": number}} for number, task in enumerate("abca")]
    rows, _ = read_items(tmp_path, items, where={"task": ("a", "b"), "meta.n": ("0", "1")})
    assert said(rows) == [[("user", "0")], [("user", "1")]]
    assert rows["locator"].to_list() == ["a.jsonl:1", "a.jsonl:2"]


def test_texts_are_taken_apart_by_patterns(tmp_path: Path) -> None:
    items = [{"text": "问：他好吗？\n答：好", "label": "x"}, {"text": "no", "label": "x"}]
    pattern = r"问：(?P<first>.*)\n答：(?P<second>.*)"
    rows, bad = read_items(tmp_path, items, extract={"text": pattern})
    assert named(rows) == [[("user", "first", "他好吗？"), ("user", "second", "好")]]
    assert rows["extra"].to_list() == [None]
    assert told(bad) == [("a.jsonl:2", "pattern_mismatch")]
    found, _ = read_items(tmp_path, items[:1], extract={"text": "问：(?P<first>.*)"}, kind="classification")
    assert json.loads(found["extra"][0]) == {"first": "他好吗？"}
    assert said(found) == [[("user", items[0]["text"])]]


def test_fields_of_another_file(tmp_path: Path) -> None:
    tasks = [{"task": "a", "definition": ["说反话", "。"], "n": 1}, {"task": "b", "definition": "Say it."}]
    file = write_jsonl(tmp_path / "tasks.jsonl", [*tasks, {**tasks[0], "n": 2}])
    lookup = {"file": file.name, "on": "task", "take": ["definition"]}
    settings: dict[str, Any] = {
        "kind": "reply",
        "fields": {"text": ("definition", "input"), "reply": "output"},
    }
    items = [
        {"task": "a", "input": "好", "output": ["坏"]},
        {"task": "b", "input": "x", "output": "x"},
        {"task": "c", "input": "x", "output": "x"},
    ]
    rows, bad = read_items(tmp_path, items, lookup=lookup, **settings)
    assert said(rows) == [
        [("user", "说反话\n。\n好"), ("assistant", "坏")],
        [("user", "Say it.\nx"), ("assistant", "x")],
    ]
    assert told(bad) == [("a.jsonl:3", "not_found")]
    assert list(labelled(lookup=lookup).further_files([], tmp_path)) == [file]
    write_jsonl(file, [*tasks, {**tasks[0], "definition": "else"}])
    with pytest.raises(DamagedFile, match=r"tasks\.jsonl:3: a second record with task 'a' differs"):
        read_items(tmp_path, items, lookup=lookup, **settings)
    write_jsonl(file, ["{"])
    with pytest.raises(DamagedFile, match="cannot be read"):
        read_items(tmp_path, items, lookup=lookup, **settings)
    file.unlink()
    with pytest.raises(MissingInput, match="lookup"):
        read_items(tmp_path, items, lookup=lookup, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fields": {"txt": "a"}}, "ours are tokens, tags, text"),
        ({"fields": {"tokens": "a", "answers": "b"}}, "no kind of set reads tokens, answers together"),
        ({"kind": "choice", "fields": {"label": "b"}}, "kind 'choice' reads label"),
        ({"extract": {"text": "("}}, "no regular expression"),
        ({"languages": ("en", "not a tag")}, "pattern"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        labelled(**settings)


def test_the_first_records_say_what_a_file_is(tmp_path: Path) -> None:
    """A later record of another kind is told, not read as something else."""
    items = [{"text": "Anna", "spans": [[0, 4, "PER"]]}, {"sentence1": "a", "sentence2": "b", "label": "x"}]
    rows, bad = read_items(tmp_path, items)
    assert (rows["task"].to_list(), told(bad)) == (["ner"], [("a.jsonl:2", "missing_field")])


def test_several_columns_are_joined_where_they_hold_something(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("title,body,l1,l2,note\n标题,正文,a,b,x\nTitle,,a,,\n,,a,,\n", encoding="utf-8")
    rows, bad = read(labelled(fields={"text": ("title", "body"), "label": ("l1", "l2")}), [file], tmp_path)
    assert said(rows) == [[("user", "标题\n正文")], [("user", "Title")]]
    assert targets(rows) == [{"labels": ["a", "b"], "multi": True}, {"labels": ["a"], "multi": True}]
    assert rows["extra"].to_list() == ['{"note":"x"}', '{"note":""}']
    assert told(bad) == [("a.csv:4", "empty_text")]


def test_columns_of_parquet_with_lists_and_objects(tmp_path: Path) -> None:
    """The forms in which hubs of data sets keep their files."""
    frames = {
        "squad": pl.DataFrame(
            {
                "context": ["Anna is in Rome."],
                "question": ["Where?"],
                "answers": [{"text": ["Rome"], "answer_start": [11]}],
            }
        ),
        "conll": pl.DataFrame({"tokens": [["安娜", "在"]], "ner_tags": [[1, 0]]}),
        "arc": pl.DataFrame(
            {"question": ["?"], "choices": [{"text": ["a", "b"], "label": ["A", "B"]}], "answerKey": ["B"]}
        ),
        "number": pl.DataFrame({"text": ["a"], "label": [1]}),
    }
    found: dict[str, Any] = {}
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
        names = ("O", "B-PER") if name in ("conll", "number") else ()
        rows, bad = read(labelled(names=names), [tmp_path / f"{name}.parquet"], tmp_path)
        assert bad == []
        found[name] = targets(rows)[0]
    assert found["squad"]["answers"][0]["place"] == {"message": 0, "start": 11, "end": 15}
    assert found["conll"]["spans"] == [{"message": 0, "start": 0, "end": 2, "label": "PER"}]
    assert (found["arc"], found["number"]) == ({"choice": 1}, {"labels": ["B-PER"]})
