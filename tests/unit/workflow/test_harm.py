"""Swaps measured on a model of a run: one that keys on gender flips, another stays; places move along."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.tiny_bert import write_tiny_bert
from zhiling.errors import UsageError
from zhiling.evaluation.counterfactual import Swapped
from zhiling.rows.target import (
    Answer,
    Answers,
    Choice,
    Entities,
    Labels,
    Place,
    Relations,
    Span,
    Triple,
    spelled,
)
from zhiling.rows.templates.example import Turn
from zhiling.training import text_input
from zhiling.training.inputs import GIVEN
from zhiling.workflow.proof.harm import language_of
from zhiling.workflow.proof.swapped_answers import moved, same, swap_input
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run, run_recipe

RECIPE = """\
version: 1
name: toy
sources:
  - {{id: letters, use: labelled, path: data.jsonl, licence: Apache-2.0}}
split: {{train: 0.6, dev: 0.15, test: 0.25, near: null}}
train: {{task: classification, features: ngrams, epochs: 8, learning_rate: 0.02}}
evaluate: {{arms: [{arms}], seeds: 1, explain: null, counterfactual: {{kinds: [gender], rows: 30}}}}
gates: [{gates}]
"""
TOPICS = ["parcel", "invoice", "refund", "battery", "包裹", "发票", "退款", "电池"]


def project(root: Path, *, unfair: bool, gates: str = "", arms: str = "before, after") -> Recipe:
    """Texts that say `he` or `she`; the label follows the topic, or (unfair) the gender."""
    draw = random.Random(4)
    rows: list[dict[str, str]] = []
    for number in range(240):
        topic = draw.choice(TOPICS)
        female = draw.random() < 0.5
        if topic.isascii():
            text = f"{'she' if female else 'he'} asks about a {topic} number {number}"
        else:
            text = f"{'她' if female else '他'}来问{topic}的事{number}"
        named = female if unfair else topic in ("parcel", "refund", "包裹", "退款")
        rows.append({"text": text, "label": "urgent" if named else "normal"})
    (root / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE.format(gates=gates, arms=arms), encoding="utf-8")
    return Recipe.load(root / "recipe.yaml")


def measured(run: Run) -> dict[str, Any]:
    return orjson.loads((run.path / "evaluation" / "counterfactual.json").read_bytes())


@pytest.mark.parametrize("unfair", [True, False])
def test_a_model_that_keys_on_gender_is_seen(unfair: bool, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = measured(run_recipe(project(tmp_path, unfair=unfair), until="evaluate"))
    lines = {(each["language"], each["on"]): each for each in found["effects"]}
    assert found["refused"] == ""
    assert set(lines) == {(language, on) for language in ("en", "zh") for on in ("rows", "templates")}
    for language in ("en", "zh"):
        line = lines[language, "rows"]
        assert line["kind"] == "gender"
        assert line["originals"] == line["pairs"] > 10
        share = line["flips"]["after"]
        assert share["low"] <= share["mean"] <= share["high"]
        assert (share["mean"] > 0.9) if unfair else (share["mean"] < 0.2)
        assert (line["shift"]["after"]["mean"] > 0.5) == unfair
        assert "before" in line["flips"]
        assert line["added"]["mean"] == pytest.approx(share["mean"] - line["flips"]["before"]["mean"])
    if unfair:
        example = lines["zh", "rows"]["examples"][0]
        assert {example["text"][0], example["swapped"][0]} == {"他", "她"}
        assert {example["answer"], example["swapped_answer"]} == {"urgent", "normal"}


def test_a_span_moves_with_its_name_and_an_answer_is_read_again() -> None:
    turns = text_input("Emily Clarke flew to Boston.")
    told = swap_input(turns, "name", "k")
    assert isinstance(told, tuple)
    other, swapped = told
    name = other[0].text.removesuffix(" flew to Boston.")
    spans = [Span(start=0, end=12, label="PER"), Span(start=21, end=27, label="LOC")]
    new = Entities.model_validate_json(moved(spelled(Entities(spans=spans)), swapped))
    assert [other[0].text[span.start : span.end] for span in new.spans] == [name, "Boston"]
    place = Place(message=0, start=0, end=5)
    answer = Answers(answers=[Answer(text="Emily", place=place)])
    again = Answers.model_validate_json(moved(spelled(answer), swapped)).answers[0]
    assert again.text == name.split()[0]


def test_triples_move_with_their_entities() -> None:
    told = swap_input(text_input("Emily lives in Boston."), "region", "k")
    assert isinstance(told, tuple)
    places = (Place(start=0, end=5), Place(start=15, end=21))
    triple = Triple(
        subject="Emily", relation="lives_in", object="Boston", subject_place=places[0], object_place=places[1]
    )
    spans = [Span(start=15, end=21, label="LOC")]
    new = Relations.model_validate_json(moved(spelled(Relations(relations=[triple], spans=spans)), told[1]))
    assert new.relations[0].subject == "Emily"
    assert new.relations[0].object == told[0][0].text.removeprefix("Emily lives in ").removesuffix(".")
    assert new.spans is not None
    assert new.spans[0].end == 15 + len(new.relations[0].object)


def test_replies_of_a_pool_stay_and_those_of_the_input_change_with_it() -> None:
    swapped = Swapped(("he asks", "he is out"), ("she asks", "she is out"), ((), ()))

    def replies(*texts: str) -> str:
        return spelled(Answers(answers=[Answer(text=text) for text in texts]))

    assert same(moved(replies("he is out", "x"), swapped), replies("she is out", "y")), "the best one counts"
    assert same(moved(replies("he is in"), swapped), replies("he is in"))
    assert not same(replies("a", "b"), replies("b", "a"))


def test_labels_options_and_numbers_stay_as_they_are() -> None:
    swapped = Swapped(("x",), ("x",), ((),))
    for answer in ("urgent", "3.5", spelled(Labels(labels=["b", "a"])), spelled(Choice(choice=2))):
        assert same(moved(answer, swapped), answer)


def test_the_order_of_spans_says_nothing() -> None:
    one, other = Span(start=0, end=2, label="A"), Span(start=4, end=5, label="B")
    assert same(spelled(Entities(spans=[one, other])), spelled(Entities(spans=[other, one])))
    assert not same(spelled(Entities(spans=[one])), spelled(Entities(spans=[other])))


def test_answers_in_words_are_refused_with_the_reason() -> None:
    swapped = Swapped(("x",), ("x",), ((),))
    told = spelled(Relations(relations=[Triple(subject="Emily", relation="in", object="Boston")]))
    with pytest.raises(UsageError, match="no places"):
        moved(told, swapped)
    with pytest.raises(UsageError, match="'steps'"):
        moved('{"steps": ["wait"]}', swapped)
    with pytest.raises(UsageError, match="pieces"):
        swap_input((Turn("user", "he"), Turn(GIVEN, "{}")), "gender", "k")


def test_replies_are_not_swapped() -> None:
    told = swap_input((Turn("user", "he is here"), Turn("assistant", "he is not")), "gender", "k")
    assert isinstance(told, tuple)
    assert [turn.text for turn in told[0]] == ["she is here", "he is not"]


@pytest.mark.parametrize(
    ("tag", "text", "language"),
    [("zh-CN", "x", "zh"), ("en", "中文", "en"), ("und", "中文", "zh"), ("fr", "x", "en")],
)
def test_a_rows_language_is_its_tag_or_its_script(tag: str, text: str, language: str) -> None:
    assert language_of(tag, text_input(text)) == language


def test_entities_of_a_run_move_with_their_names(tmp_path: Path) -> None:
    """A NER run: spans of swapped rows are compared where they moved; its answers have no attribution."""
    pytest.importorskip("torch")
    write_tiny_bert(tmp_path / "encoder")
    rows: list[dict[str, Any]] = []
    for number in range(60):
        name = ("Emily", "James", "Sarah", "Priya", "Kwame")[number % 5]
        spans = [{"start": 9, "end": 9 + len(name), "label": "PER"}]
        rows.append({"text": f"parcel {number % 10} {name} is late {number}", "spans": spans})
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "sources:\n  - {id: rows, use: labelled, path: data.jsonl, kind: ner, language: en}\n"
        "split: {train: 0.5, dev: 0.2, test: 0.3, near: null}\n"
        "train: {task: ner, features: encoder, backbone: encoder, method: full, epochs: 3, "
        "encoder_learning_rate: 0.002, learning_rate: 0.02}\n"
        "evaluate: {arms: [before, after], seeds: 1, metrics: [entity_f1], explain: {rows: 2}}\n",
        encoding="utf-8",
    )
    run = run_recipe(Recipe.load(tmp_path / "recipe.yaml"), until="evaluate")
    found = measured(run)
    assert found["refused"] == ""
    rows_of_names = next(each for each in found["effects"] if (each["kind"], each["on"]) == ("name", "rows"))
    assert rows_of_names["originals"] > 10
    assert rows_of_names["flips"]["before"]["mean"] == 0, "no entity before tuning, none after a swap"
    assert {each["on"] for each in found["effects"]} == {"rows", "templates"}
    told = orjson.loads((run.path / "evaluation" / "explanations.json").read_bytes())["rows"]
    assert [each["attribution"] for each in told] == [None, None]
    assert "ner" in told[0]["note"]
    assert told[0]["nearest"][0]["answer"].endswith("PER")
