"""Labelled sets of every task, read by small recipes: each record is a row with its truth, or told why not.

What the files hold is read here a second time, by the standard library alone; none of it is copied.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import BaseModel, TypeAdapter

import zhiling
from benchmarks.sources.sets import DATA, SETS, batches
from zhiling.curation.valid import Valid
from zhiling.pipeline.step import Bad, Context
from zhiling.rows.target import SHAPES

RECIPES = Path(__file__).parent

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]

Row = dict[str, Any]


@cache
def read(name: str) -> tuple[pl.DataFrame, tuple[Bad, ...]]:
    """All rows and bad items of a set."""
    given = list(batches(name))
    return pl.concat([batch.rows for batch in given]), tuple(bad for batch in given for bad in batch.bad)


@cache
def rows(name: str) -> list[Row]:
    """Rows with their target and extra as values."""
    frame, _ = read(name)
    return [
        {**row, "target": json.loads(row["target"] or "null"), "extra": json.loads(row["extra"] or "{}")}
        for row in frame.to_dicts()
    ]


def records(*paths: str) -> list[Row]:
    """The records of JSON Lines files of the sets."""
    found: list[Row] = []
    for path in paths:
        with gzip.open(DATA / f"{path}.jsonl.gz", "rt", encoding="utf-8") as stream:
            found += [json.loads(line) for line in stream]
    return found


def texts(row: Row, name: str | None = None) -> list[str]:
    return [message["text"] for message in row["messages"] if message["name"] == name]


def places(value: Any) -> list[Row]:
    """All places in a target, however deep."""
    inner = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    own = [value] if isinstance(value, dict) and "start" in value else []
    return own + [place for each in inner if isinstance(each, dict | list) for place in places(each)]


def at(row: Row, place: Row) -> str:
    return row["messages"][place.get("message", 0)]["text"][place["start"] : place["end"]]


@pytest.mark.parametrize("name", SETS)
def test_every_record_is_a_row_or_told(name: str) -> None:
    frame, bad = read(name)
    expected = SETS[name]
    assert frame.height == expected.height
    assert Counter(each.cls for each in bad) == expected.bad
    counts = Counter(frame["task"].to_list())
    assert counts.pop("utterance", 0) == expected.material
    assert set(counts) <= {expected.task, *expected.others}
    assert all(re.search(r"\.gz:\d+(#turn \d+)?$", locator) for locator in frame["locator"])
    assert frame["locator"].n_unique() == frame.height


@pytest.mark.parametrize("name", SETS)
def test_every_target_has_a_shape_of_its_task_and_places_in_its_messages(name: str) -> None:
    shapes: dict[str, TypeAdapter[BaseModel]] = {
        task: TypeAdapter(one_of(*kinds)) for task, kinds in SHAPES.items() if kinds
    }
    frame, _ = read(name)
    for task, target in frame.select("task", "target").unique().iter_rows():
        if target is not None:
            shapes[task].validate_json(target)
        else:
            assert task in ("summarisation", "instruction", "utterance")
    if frame["target"].str.contains('"start"', literal=True).any():
        for row in rows(name):
            assert all(at(row, place) for place in places(row["target"])), row["locator"]


def one_of(first: type[BaseModel], *others: type[BaseModel]) -> Any:
    shape: Any = first
    for other in others:
        shape = shape | other
    return shape


@pytest.mark.parametrize("name", SETS)
def test_valid_keeps_every_row(name: str) -> None:
    """Named fields of one example are one turn, whatever the task."""
    frame, _ = read(name)
    judged = Valid().decide(frame.select("messages"), Context(step_id="valid"))
    assert judged["reason"].drop_nulls().to_list() == []


@pytest.mark.parametrize("name", ["bitext_entities", "fewclue", "mmlu"])
def test_a_recipe_runs_to_its_rows(name: str, tmp_path: Path) -> None:
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").replace("DATA", DATA.as_posix())
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    done = zhiling.Recipe.load(tmp_path / "recipe.yaml").run(until="rows")
    expected = SETS[name]
    assert (done.counts["in"], done.counts["bad"]) == (expected.height, sum(expected.bad.values()))
    assert (done.counts["kept"], done.counts["material"]) == (expected.height, expected.material)


def labels(row: Row) -> list[str]:
    return (row["target"] or {"labels": ["-"]})["labels"]


def test_boolq_and_thucnews() -> None:
    for name, path, text in (
        ("boolq", "boolq/train_2k", "sentence"),
        ("thucnews_titles", "thucnews_titles/dev", "text"),
    ):
        given = [(texts(row), labels(row)) for row in rows(name)]
        assert given == [([record[text]], [record["label"]]) for record in records(path)]


def test_fewclue() -> None:
    """Topics by name, the number kept; ocnli keeps the votes of its annotators, where it has them."""
    truth = records("fewclue/tnews", "fewclue/eprstmt")
    given, pairs = rows("fewclue")[: len(truth)], rows("fewclue")[len(truth) :]
    assert [texts(row) for row in given] == [[record["sentence"]] for record in truth]
    assert [labels(row) for row in given] == [[record.get("label_desc", record["label"])] for record in truth]
    assert given[0]["extra"]["label"] == truth[0]["label"]
    for row, record in zip(pairs, records("fewclue/ocnli"), strict=True):
        assert (texts(row, "first"), texts(row, "second")) == ([record["sentence1"]], [record["sentence2"]])
        assert (labels(row), row["group"]) == ([record["label"]], record["prem_id"])
        votes = {name: record[name] for name in record if re.fullmatch(r"label\d", name)}
        assert votes.items() >= {n: v for n, v in row["extra"].items() if n.startswith("label")}.items()
    assert sum("label0" in row["extra"] for row in pairs) == 2_693


def test_pairs_in_one_text_are_taken_apart() -> None:
    truth = [record for record in records("cl_benchmark/cl_benchmark") if record["task"] == "MNLI"]
    given = [row for row in rows("cl_benchmark") if texts(row, "first")]
    for row, record in zip(given, truth, strict=True):
        first, second = texts(row, "first")[0], texts(row, "second")[0]
        assert f"sentence 1: {first}\nsentence 2: {second}" == record["text"]
        assert labels(row) == [record["label"]]
    assert Counter(row["task"] for row in given) == {"matching": 1_984, "utterance": 16}


def test_a_reply_and_whether_it_is_right() -> None:
    truth = records("ecd_zh_sample/train")
    assert [labels(row)[0] for row in rows("ecd_zh_sample")] == [
        ("wrong", "right")[r["label"]] for r in truth
    ]
    assert [texts(row, "first")[0].split("\n") for row in rows("ecd_zh_sample")] == [
        r["context"] for r in truth
    ]


def test_conll2003_as_json_and_as_columns_are_the_same() -> None:
    truth = records("conll2003/train", "conll2003/valid")
    by_json, by_columns = rows("conll2003"), rows("conll2003_columns")
    for row, column, record in zip(by_json, by_columns, truth, strict=True):
        assert row["messages"] == column["messages"]
        assert row["target"] == column["target"]
        assert [at(row, {"start": s, "end": e}) for s, e in row["target"]["tokens"]] == record["tokens"]
        assert row["target"]["tags"] == record["ner"]
        assert column["extra"] == {"column_2": record["pos"], "column_3": record["chunk"]}
    entities = Counter(tag[2:] for record in truth for tag in record["ner"] if tag.startswith("B-"))
    assert Counter(span["label"] for row in by_json for span in row["target"]["spans"]) == entities
    assert len({row["group"] for row in by_columns}) == len({row["group"] for row in by_json}) + 216


def surfaces(name: str) -> list[list[tuple[str, str]]]:
    """Label and surface of every span of every row."""
    return [[(span["label"], at(row, span)) for span in row["target"]["spans"]] for row in rows(name)]


def test_cluener2020_ends_are_inclusive() -> None:
    truth = [
        [
            (kind, surface)
            for kind, found in record["label"].items()
            for surface, at in found.items()
            for _ in at
        ]
        for record in records("cluener2020/train")
    ]
    assert surfaces("cluener2020") == truth
    assert sum(map(len, truth)) == 23_971


def test_presidio_pii() -> None:
    truth = [
        [(span["entity_type"], span["entity_value"]) for span in record["spans"]]
        for record in records("presidio_pii/synth_first_750")
    ]
    assert surfaces("presidio_pii") == truth
    assert sum(map(len, truth)) == 1_402


def test_restaurant8k_a_missing_start_is_zero() -> None:
    given = rows("restaurant8k")
    for row, record in zip(given, records("restaurant8k/train_0"), strict=True):
        assert texts(row) == [record["userInput"]["text"]]
        spans = [(each["slot"], each["valueSpan"]) for each in record.get("labels", [])]
        told = [(label, span.get("startIndex", 0), span["endIndex"]) for label, span in spans]
        assert [(s["label"], s["start"], s["end"]) for s in row["target"]["spans"]] == told
        assert row["extra"] == ({"context": record["context"]} if "context" in record else {})
    found = [span for row in given for span in row["target"]["spans"]]
    assert (len(found), sum(span["start"] == 0 for span in found)) == (7_635, 1_276)


def test_bitext_entities_that_are_not_where_they_should_be_are_told() -> None:
    truth = records("bitext_support/v1_short_responses")
    right = [
        record
        for record in truth
        if not record["entity_value"]
        or record["instruction"][int(record["start_offset"]) : int(record["end_offset"])]
        == record["entity_value"]
    ]
    entities = [[(r["entity_type"], r["entity_value"])] if r["entity_value"] else [] for r in right]
    assert surfaces("bitext_entities") == entities
    assert sum(map(len, entities)) == 2_325 - 766
    lines = [number for number, record in enumerate(truth, 1) if record not in right]
    _, bad = read("bitext_entities")
    assert [int(each.place.rpartition(":")[2]) for each in bad] == lines


def test_relations_out_of_prompts() -> None:
    truth = [
        (*re.findall(r"between '(.*?)' and '(.*?)'\?", record["prompt"])[0], record["completion"])
        for record in records("t0_templates/t0_per_template")
        if record["template"] == "wiki_hop_original_explain_relation"
    ]
    given = [row["target"]["relations"] for row in rows("t0_relations")]
    assert [[(each["subject"], each["object"], each["relation"]) for each in one] for one in given] == [
        [each] for each in truth
    ]
    assert all("What is the relationship" not in texts(row)[0] for row in rows("t0_relations"))


def test_words_that_a_sentence_must_hold() -> None:
    truth = [
        (re.findall(r"sentence: (.*)\.", record["prompt"])[0].split(", "), record["completion"])
        for record in records("t0_templates/t0_per_template")
        if record["template"] == "common_gen_Put_together"
    ]
    given = [
        (row["target"]["constraints"][0]["values"], row["messages"][-1]["text"])
        for row in rows("t0_concepts")
    ]
    assert given == truth


@pytest.mark.parametrize(("name", "path"), [("cmrc2018", "cmrc2018/trial"), ("xquad", "xquad/en")])
def test_passages_and_questions(name: str, path: str) -> None:
    truth = {record["id"]: record for record in records(path)}
    given = rows(name)
    for row in given:
        record = truth.pop(row["key"])
        assert [message["role"] for message in row["messages"]] == ["document", "user"]
        assert (texts(row, "context"), texts(row, "question")) == ([record["context"]], [record["question"]])
        answers = row["target"]["answers"]
        assert [answer["text"] for answer in answers] == record["answers"]
        assert [at(row, answer["place"]) for answer in answers] == record["answers"]
    _, bad = read(name)
    assert len(truth) == len(bad), "what is no row is told"
    for record in truth.values():
        start = record["starts"][0]
        assert not record["question"] or not record["context"][start:].startswith(record["answers"][0])


def test_gsm8k_results_stand_behind_the_solution() -> None:
    for row, record in zip(rows("gsm8k"), records("gsm8k/train"), strict=True):
        assert [message["text"] for message in row["messages"]] == [record["question"], record["answer"]]
        assert row["target"] == {"answers": [{"text": record["answer"].split("#### ")[1].strip()}]}


@pytest.mark.parametrize("name", ["ceval", "mmlu"])
def test_exams(name: str) -> None:
    truth = records(f"{name}/dev", f"{name}/val")
    for row, record in zip(rows(name), truth, strict=True):
        options = texts(row, "choice")
        assert (texts(row, "question"), options) == ([record["question"]], [record[each] for each in "ABCD"])
        assert options[row["target"]["choice"]] == record[record["answer"]]
        assert row["extra"]["subject"] == record["subject"]
    assert sum("explanation" in row["extra"] for row in rows(name)) == (260 if name == "ceval" else 0)


def test_translations_know_their_languages() -> None:
    for row, record in zip(rows("tatoeba_en_zh"), records("tatoeba_en_zh/en_zh"), strict=True):
        assert [message["text"] for message in row["messages"]] == [record["en"], record["zh"]]
        assert row["target"] == {"source_language": "en", "target_language": "zh"}
        assert row["language"] == "en"


def test_summaries_and_further_ones() -> None:
    for row, record in zip(rows("dialogsum"), records("dialogsum/train_3k_of_12460"), strict=True):
        assert [message["text"] for message in row["messages"]] == [record["dialogue"], record["summary"]]
    for row, record in zip(rows("tweetsumm"), records("tweetsumm/dialogs_with_summaries"), strict=True):
        others = [each["messages"][0]["text"] for each in row["alternatives"] or []]
        told = [row["messages"][1]["text"], *others]
        assert told == list(dict.fromkeys(ast.literal_eval(record["abstractive_summaries"])))
        assert {each["kind"] for each in row["alternatives"] or []} <= {"chosen"}


def test_sgd_states() -> None:
    """Each state is what the frames of its turn tell, and what other services were told before."""
    truth = [
        (record["dialogue_id"], turn["frames"])
        for record in records("sgd/train")
        for turn in record["turns"]
        if turn["speaker"] == "USER"
    ]
    for row, (dialogue, frames) in zip(rows("sgd"), truth, strict=True):
        assert row["group"] == dialogue
        told = {(slot["domain"], slot["slot"]): [slot["value"], *slot.get("also", [])] for slot in state(row)}
        for frame in frames:
            values = frame["state"]["slot_values"]
            assert {n: v for (domain, n), v in told.items() if domain == frame["service"]} == values


def state(row: Row) -> list[Row]:
    slots: list[Row] = row["target"]["state"]
    return slots


@pytest.mark.parametrize(
    ("name", "path"), [("multiwoz21", "multiwoz21/val"), ("crosswoz_state", "crosswoz/val")]
)
def test_what_a_user_informs_of_is_in_the_state(name: str, path: str) -> None:
    turns = [
        turn for record in records(path) for turn in record["turns"] if turn["speaker"] in ("user", "usr")
    ]
    for row, turn in zip(rows(name), turns, strict=True):
        assert row["messages"][-1]["text"] == turn["text"]
        told = {(slot["domain"], slot["slot"], slot["value"]) for slot in state(row)}
        assert informed(turn["dialog_act"]) <= told


def informed(acts: Any) -> set[tuple[str, str, str]]:
    if isinstance(acts, dict):
        pairs = [(*name.split("-"), *pair) for name, told in acts.items() for pair in told]
        acts = [(act, domain, slot, value) for domain, act, slot, value in pairs]
    said = {(domain, slot, value) for act, domain, slot, value in acts if act == "Inform"}
    return {
        (d, slot, value)
        for d, slot, value in said
        if slot.lower() != "none" and value not in ("", "?", "none")
    }


def test_programs_and_their_tests() -> None:
    """Line ends are LF; nothing else changes."""
    given = rows("mbpp")
    for row, record in zip(given, records("mbpp/mbpp_500"), strict=True):
        assert [m["text"] for m in row["messages"]] == [
            record["text"],
            "\n".join(re.split(r"\r\n|\r|\n", record["code"])),
        ]
        assert row["target"]["tests"] == [
            "\n".join(re.split(r"\r\n|\r|\n", test)) for test in record["test_list"]
        ]
        assert row["key"] == str(record["task_id"])
    assert not any("\r" in message["text"] for row in given for message in row["messages"])
    assert sum("setup" in row["target"] for row in given) == sum(
        bool(record["test_setup_code"]) for record in records("mbpp/mbpp_500")
    )


def test_right_outputs_of_instances_are_all_kept() -> None:
    tasks = {record["task"]: record["definition"] for record in records("natural_instructions/tasks")}
    for row, record in zip(
        rows("natural_instructions"), records("natural_instructions/instances"), strict=True
    ):
        others = [each["messages"][0]["text"] for each in row["alternatives"] or []]
        told = [record["output"]] if isinstance(record["output"], str) else record["output"]
        assert [row["messages"][1]["text"], *others] == list(dict.fromkeys(told))
        assert row["messages"][0]["text"] == "\n".join([*tasks[record["task"]], record["input"]])
