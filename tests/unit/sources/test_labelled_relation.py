"""Relations: triples in words, with types, with further parts, and links between entities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.labelled_sets import read_items, targets
from tests.unit.sources.reading import said, told

TEXT = "Anna was born in Rome."
文 = "《红楼梦》的作者是曹雪芹。"


def test_triples_in_words(tmp_path: Path) -> None:
    items = [
        {"text": TEXT, "relations": [{"subject": "Anna", "relation": "born in", "object": "Rome"}]},
        {"text": TEXT, "triples": [["Anna", "born in", "Rome"]]},
        {
            "text": 文,
            "spo_list": [
                {
                    "subject": "红楼梦",
                    "predicate": "作者",
                    "object": "曹雪芹",
                    "subject_type": "作品",
                    "object_type": "人物",
                }
            ],
        },
        {"text": TEXT, "relations": []},
    ]
    for item in items:
        rows, bad = read_items(tmp_path, [item])
        assert (bad, rows["task"].to_list()) == ([], ["relation"])
        assert said(rows) == [[("user", item["text"])]]
    rows, _ = read_items(tmp_path, items[:1])
    born = {"subject": "Anna", "relation": "born in", "object": "Rome"}
    assert targets(rows) == [{"relations": [born]}]
    assert targets(read_items(tmp_path, items[1:2])[0]) == [{"relations": [born]}]
    assert targets(read_items(tmp_path, items[2:3])[0]) == [
        {
            "relations": [
                {
                    "subject": "红楼梦",
                    "relation": "作者",
                    "object": "曹雪芹",
                    "subject_type": "作品",
                    "object_type": "人物",
                }
            ]
        }
    ]
    assert targets(read_items(tmp_path, items[3:])[0]) == [{"relations": []}]


def test_an_object_of_several_parts_is_a_triple_a_part(tmp_path: Path) -> None:
    spo = {
        "subject": "李安", "predicate": "获奖", "subject_type": "人物",
        "object": {"@value": "最佳导演", "work": "卧虎藏龙"},
        "object_type": {"@value": "奖项", "work": "作品"},
    }  # fmt: skip
    rows, _ = read_items(tmp_path, [{"text": "李安凭《卧虎藏龙》获最佳导演。", "spo_list": [spo]}])
    assert targets(rows)[0]["relations"] == [
        {
            "subject": "李安", "relation": "获奖", "object": "最佳导演",
            "subject_type": "人物", "object_type": "奖项",
        },
        {
            "subject": "李安", "relation": "获奖.work", "object": "卧虎藏龙",
            "subject_type": "人物", "object_type": "作品",
        },
    ]  # fmt: skip


def test_links_between_entities_know_their_places(tmp_path: Path) -> None:
    item = {
        "text": TEXT,
        "entities": [{"start": 0, "end": 4, "type": "PER"}, {"start": 17, "end": 21, "type": "LOC"}],
        "relations": [{"head": 0, "tail": 1, "type": "born in"}],
    }
    rows, _ = read_items(tmp_path, [item])
    (target,) = targets(rows)
    assert target["relations"] == [
        {
            "subject": "Anna", "relation": "born in", "object": "Rome",
            "subject_type": "PER", "object_type": "LOC",
            "subject_place": {"message": 0, "start": 0, "end": 4},
            "object_place": {"message": 0, "start": 17, "end": 21},
        }
    ]  # fmt: skip
    assert [span["label"] for span in target["spans"]] == ["PER", "LOC"]


def test_one_relation_in_columns(tmp_path: Path) -> None:
    items = [
        {"text": TEXT, "subject": "Anna", "relation": "born in", "object": "Rome", "n": 1},
        {"text": TEXT, "subject": "", "relation": "", "object": ""},
    ]
    rows, _ = read_items(tmp_path, items)
    assert targets(rows) == [
        {"relations": [{"subject": "Anna", "relation": "born in", "object": "Rome"}]},
        None,
    ]
    assert rows["extra"][0] == '{"n":1}'


@pytest.mark.parametrize(
    ("relations", "cls"),
    [
        (7, "wrong_type"),
        ([7], "wrong_type"),
        ([["a", "b"]], "wrong_type"),
        ([{"subject": "a", "object": "b"}], "wrong_type"),
        ([{"subject": "a", "relation": "r", "object": 0}], "wrong_type"),
        ([{"subject": "", "relation": "r", "object": "b"}], "wrong_type"),
    ],
)
def test_relations_that_are_none_are_told(relations: Any, cls: str, tmp_path: Path) -> None:
    rows, bad = read_items(tmp_path, [{"text": TEXT, "relations": relations}])
    assert (rows.height, told(bad)) == (0, [("a.jsonl:1", cls)])


def test_an_entity_that_is_not_there_is_told(tmp_path: Path) -> None:
    item = {"text": TEXT, "entities": [[0, 4, "PER"]], "relations": [{"head": 0, "tail": 1, "type": "r"}]}
    _, bad = read_items(tmp_path, [item])
    assert told(bad) == [("a.jsonl:1", "entity_outside")]
    assert "entity 1" in bad[0].message
