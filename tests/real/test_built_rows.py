"""Rows built from public documents and labelled sets, without any model: every place holds its words."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import zhiling

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]


def built(root: Path, source: str, step: str) -> pl.DataFrame:
    """The rows that a step makes of a source."""
    recipe = f"version: 1\nname: built\nsources: [{source}]\nsteps: [{step}]\n"
    (root / "recipe.yaml").write_text(recipe.replace("DATA", DATA.resolve().as_posix()), encoding="utf-8")
    run = zhiling.Recipe.load(root / "recipe.yaml").run()
    counts = run.counts
    assert (counts["failed"], counts["rejected"]) == ({}, {})
    assert counts["kept"] == counts["in"] + counts["made"] - counts["replaced"]
    rows = run.rows()
    return rows.filter(rows["origin"].struct.field("maker").is_not_null())


POLICIES = "{id: d, use: documents, path: DATA/docs_github_policies/policies_md.tar.gz}"
MANUAL = "{id: d, use: documents, path: DATA/docs_fastapi/en_md.tar.gz}"


@pytest.mark.parametrize(("source", "least"), [(POLICIES, 300), (MANUAL, 1000)])
def test_questions_about_documents(source: str, least: int, tmp_path: Path) -> None:
    rows = built(tmp_path, source, "{id: q, use: passage_qa, per_input: 4, unanswerable: 0.25}")
    assert rows.height > least
    kinds: Counter[str] = Counter()
    left_open = 0
    for row in rows.iter_rows(named=True):
        passage = row["messages"][0]["text"]
        answers = json.loads(row["target"])["answers"]
        kinds[json.loads(row["extra"])["question_kind"]] += 1
        left_open += not answers
        for answer in answers:
            place = answer["place"]
            assert passage[place["start"] : place["end"]] == answer["text"]
    assert set(kinds) >= {"heading", "definition", "cloze"}
    assert 0.1 < left_open / rows.height < 0.26


SENTENCES = [
    "{id: s, use: labelled, path: DATA/cluener2020/train.jsonl.gz, kind: ner, language: zh}",
    "{id: s, use: labelled, path: DATA/conll2003/valid.jsonl.gz, language: en}",
]


@pytest.mark.parametrize("source", SENTENCES)
def test_swapped_entities_stand_where_the_target_says(source: str, tmp_path: Path) -> None:
    rows = built(tmp_path, source.replace("", ""), "{id: r, use: recombine}")
    assert rows.height > 1000
    swapped = 0
    for row in rows.iter_rows(named=True):
        text = row["messages"][0]["text"]
        words = {text[span["start"] : span["end"]] for span in json.loads(row["target"])["spans"]}
        told = json.loads(row["extra"])["swapped"]
        assert set(told.values()) <= words
        swapped += len(told)
    assert swapped >= rows.height


def test_demands_are_met(tmp_path: Path) -> None:
    source = "{id: s, use: instructions, path: DATA/rasbt_instructions/instruction_data_1100.jsonl.gz}"
    steps = ("{id: c, use: constrain}", "{id: t, use: template, only: {task: [controlled]}}")
    rows = built(tmp_path, source, ", ".join([*steps, "{id: k, use: constraints}"]))
    assert rows.height > 1000
