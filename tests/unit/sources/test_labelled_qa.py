"""Questions with answers: SQuAD's forms, answers that are not where they should be, worked solutions."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.labelled_sets import named, read_items, targets
from tests.unit.sources.reading import read, told
from zhiling.sources.labelled import Labelled

PASSAGE = "Anna moved to Rome. Rome is old."
中文 = "安娜搬到了罗马。😀罗马很古老。"
ARTICLES: list[dict[str, Any]] = [
    {
        "title": "Anna",
        "paragraphs": [
            {
                "context": PASSAGE,
                "qas": [
                    {"id": "1", "question": "Who?", "answers": [{"text": "Anna", "answer_start": 0}]},
                    {"id": "2", "question": "When?", "answers": [], "is_impossible": True},
                ],
            },
            {
                "context": 中文,
                "qas": [
                    {"id": "3", "question": "去哪里？", "answers": [{"text": "罗马", "answer_start": 5}]}
                ],
            },
        ],
    },
    {"title": "empty", "paragraphs": []},
]

WHOLE = json.dumps({"data": ARTICLES})


def answer(text: str, start: int | None = None) -> dict[str, Any]:
    place = {} if start is None else {"place": {"message": 0, "start": start, "end": start + len(text)}}
    return {"text": text, **place}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("packed", [False, True])
def test_squad_files_are_read_article_by_article(tmp_path: Path, indent: int | None, packed: bool) -> None:
    file = tmp_path / ("train.json.gz" if packed else "train.json")
    content = json.dumps({"version": "2.0", "data": ARTICLES[:1], "note": "x"}, indent=indent).encode()
    file.write_bytes(gzip.compress(content) if packed else content)
    rows, bad = read(Labelled(path="*"), [file], tmp_path)
    assert bad == []
    assert named(rows)[0] == [("document", "context", PASSAGE), ("user", "question", "Who?")]
    assert targets(rows) == [
        {"answers": [answer("Anna", 0)]},
        {"answers": []},
        {"answers": [answer("罗马", 5)]},
    ]
    assert rows["task"].to_list() == ["qa"] * 3
    assert rows["key"].to_list() == ["1", "2", "3"]
    line = 1 if indent is None else 4
    assert rows["locator"][2] == f"{file.name}:{line}#paragraph 2#question 1"
    assert rows["group"].unique().to_list() == ["Anna"]


@pytest.mark.parametrize(
    ("content", "classes"),
    [
        (WHOLE, ["empty_record"]),
        (WHOLE[:-2] + ', "x"]}', ["not_an_object", "empty_record"]),
        (WHOLE.replace('"title": "empty"', '"title": "\\ud800"'), ["broken_json"]),
        (WHOLE.replace('"paragraphs": []', '"paragraphs": 7'), ["wrong_type"]),
        (WHOLE.replace('"paragraphs": []', '"paragraphs": [{"context": "a", "qas": ["q"]}]'), ["wrong_type"]),
    ],
)
def test_an_article_that_cannot_be_read_costs_only_itself(
    content: str, classes: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "train.json"
    file.write_text(content, encoding="utf-8")
    rows, bad = read(Labelled(path="*"), [file], tmp_path)
    assert (rows.height, [each.cls for each in bad]) == (3, classes)
    assert all(each.place.startswith("train.json:1") for each in bad)


def test_nested_records_in_json_lines(tmp_path: Path) -> None:
    rows, bad = read_items(tmp_path, [ARTICLES[0], ARTICLES[0]["paragraphs"][1], ARTICLES[1]])
    assert [each["answers"] for each in targets(rows)] == [
        [answer("Anna", 0)], [], [answer("罗马", 5)], [answer("罗马", 5)],
    ]  # fmt: skip
    assert rows["locator"].to_list()[-1] == "a.jsonl:2#question 1"
    assert told(bad) == [("a.jsonl:3", "empty_record")]


def test_flat_forms_of_answers(tmp_path: Path) -> None:
    def item(**answers: Any) -> dict[str, Any]:
        return {"context": PASSAGE, "question": "Where?", **answers}

    items = [
        item(answers=["Rome", "old"], starts=[14, 28]),
        item(answers={"text": ["Rome"], "answer_start": [20]}),
        item(answers=[{"text": "Rome"}, {"text": "Rome"}]),
        item(answers="Rome", starts="14"),
        item(answers=[]),
        item(answers=None),
        item(answers=["Rome"], starts=[15]),
        item(answers=["Rome"], starts=[14, 20]),
        item(answers=["Rome"], starts=["x"]),
        item(answers=[""]),
        item(answers=["Rome"], starts=[99]),
        {"context": " ", "question": "Where?", "answers": ["Rome"]},
    ]
    rows, bad = read_items(tmp_path, items, kind="qa")
    assert targets(rows) == [
        {"answers": [answer("Rome", 14), answer("old", 28)]},
        {"answers": [answer("Rome", 20)]},
        {"answers": [answer("Rome")]},
        {"answers": [answer("Rome", 14)]},
        {"answers": []},
        None,
    ]
    assert rows["task"].to_list() == ["qa"] * 5 + ["utterance"]
    assert [each.cls for each in bad] == [
        "span_mismatch", "ragged_answers", "wrong_type", "wrong_type", "span_outside", "empty_text",
    ]  # fmt: skip
    assert "'ome.', not 'Rome'" in bad[0].message


def test_an_answer_is_relocated_where_the_passage_holds_it_once(tmp_path: Path) -> None:
    items = [
        {"context": PASSAGE, "question": "Who?", "answers": ["Anna"], "starts": [1]},
        {"context": PASSAGE, "question": "Where?", "answers": ["Rome"], "starts": [15]},
        {"context": 中文, "question": "怎么样？", "answers": ["很古老"], "starts": [99]},
    ]
    rows, bad = read_items(tmp_path, items, mismatch="relocate")
    assert targets(rows) == [
        {"answers": [answer("Anna", 0)]},
        {"answers": [answer("很古老", 中文.index("很"))]},
    ]
    assert told(bad) == [("a.jsonl:2", "span_mismatch")]


def test_worked_solutions(tmp_path: Path) -> None:
    items = [
        {"question": "2+3?", "answer": "2+3 = <<2+3=5>>5\n#### 5"},
        {"question": "一千？", "answer": "是一千。\n####  1,000 "},
        {"question": "Why?", "answer": "because"},
    ]
    rows, bad = read_items(tmp_path, items)
    assert targets(rows) == [{"answers": [{"text": "5"}]}, {"answers": [{"text": "1,000"}]}]
    assert named(rows)[0] == [("user", "question", "2+3?"), ("assistant", None, items[0]["answer"])]
    assert told(bad) == [("a.jsonl:3", "no_result")]
