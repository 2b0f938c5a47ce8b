"""Multiple choice: options in every form, and every way to say which one is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.sources.labelled_sets import named, read_items, targets
from tests.unit.sources.reading import read, told
from zhiling.sources.labelled import Labelled

QUESTION = "哪个是城市？"
OPTIONS = ["罗马", "苹果", "Anna"]


@pytest.mark.parametrize(
    "options",
    [
        dict(zip("ABC", OPTIONS, strict=True)),
        {"choices": OPTIONS},
        {"options": dict(zip("ABC", OPTIONS, strict=True))},
        {"choices": {"text": OPTIONS, "label": ["A", "B", "C"]}},
        {"choices": [{"label": letter, "text": text} for letter, text in zip("ABC", OPTIONS, strict=True)]},
    ],
)
def test_forms_of_options(options: dict[str, Any], tmp_path: Path) -> None:
    rows, bad = read_items(tmp_path, [{"question": QUESTION, **options, "answer": "b", "subject": "地理"}])
    assert bad == []
    assert named(rows) == [[("user", "question", QUESTION), *(("user", "choice", text) for text in OPTIONS)]]
    assert targets(rows) == [{"choice": 1}]
    assert rows.select("task", "extra").row(0) == ("commonsense", '{"subject":"地理"}')


@pytest.mark.parametrize(
    ("answer", "how", "right"),
    [
        ("B", "auto", 1), ("b ", "auto", 1), ("苹果", "auto", 1), (1, "auto", 1), ("1", "auto", 1),
        (2, "number", 1), ("2", "number", 1), (0, "index", 0), ("A", "letter", 0), ("Anna", "text", 2),
    ],
)  # fmt: skip
def test_ways_to_tell_the_right_one(answer: Any, how: str, right: int, tmp_path: Path) -> None:
    item = {"question": QUESTION, "choices": OPTIONS, "answer": answer}
    rows, bad = read_items(tmp_path, [item], answer_as=how)
    assert (targets(rows), bad) == ([{"choice": right}], [])


@pytest.mark.parametrize(
    ("item", "cls"),
    [
        ({"answer": "D"}, "unknown_choice"),
        ({"answer": 3}, "answer_outside"),
        ({"answer": -1}, "answer_outside"),
        ({"answer": True}, "wrong_type"),
        ({"answer": ["A"]}, "wrong_type"),
        ({"answer": "a", "choices": ["x", "", "z"]}, "empty_choice"),
        ({"answer": "A", "choices": ["x"]}, "one_choice"),
        ({"answer": "A", "choices": None}, "one_choice"),
        ({"answer": "x", "choices": ["x", "x"]}, "ambiguous_answer"),
        ({"answer": "A", "question": ""}, "empty_text"),
    ],
)
def test_what_is_wrong_is_told(item: dict[str, Any], cls: str, tmp_path: Path) -> None:
    good = {"question": QUESTION, "choices": OPTIONS, "answer": "A"}
    rows, bad = read_items(tmp_path, [good, {**good, **item}])
    assert (rows.height, told(bad)) == (1, [("a.jsonl:2", cls)])


def test_options_that_are_numbers_are_texts_before_they_are_indices(tmp_path: Path) -> None:
    item = {"question": "1+1?", "choices": ["1", "2", "0"], "answer": "2"}
    assert targets(read_items(tmp_path, [item])[0]) == [{"choice": 1}]
    assert targets(read_items(tmp_path, [item], answer_as="index")[0]) == [{"choice": 2}]


def test_equal_options_are_no_trouble_where_a_letter_tells_the_right_one(tmp_path: Path) -> None:
    item = {"question": QUESTION, "choices": ["x", "x"], "answer": "B"}
    assert targets(read_items(tmp_path, [item])[0]) == [{"choice": 1}]


def test_a_table_with_a_passage_and_lists_of_different_length(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "passage,question,A,B,C,answer\nAnna eats.,Who?,Anna,Ben,,A\n,谁？,甲,乙,丙,丙\n,Who?,a,b,c,\n"
    )
    rows, bad = read(Labelled(path="*", task="qa", fields={"context": "passage"}), [file], tmp_path)
    assert bad == []
    assert named(rows)[0][0] == ("document", "context", "Anna eats.")
    assert [len(messages) for messages in named(rows)] == [4, 4, 4]
    assert targets(rows) == [{"choice": 0}, {"choice": 2}, None]
    assert rows["task"].to_list() == ["qa", "qa", "utterance"]
