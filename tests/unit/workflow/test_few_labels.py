"""A run whose logs have few labels: both arms learn from the rows without one, and the choice is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from typer.testing import CliRunner

from tests.tiny_bert import write_tiny_bert
from zhiling.cli.main import app
from zhiling.workflow.proof.examples import test_examples as examples_tested
from zhiling.workflow.proof.few_labels import Unlabelled, few_labels_of
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

RECIPE = """
version: 1
name: few
sources: [{id: logs, use: labelled, path: logs.jsonl, missing: ["?"], licence: none}]
split: {train: 0.7, dev: 0.3, test: 0, near: null}
train:
  features: encoder
  backbone: tiny
  few_labels: {contrastive: false, unlabelled_rows: 30}
evaluate: {data: held.jsonl, label_names: names.yaml, seeds: 1, resamples: 100, unseen: false}
"""
TEXTS = {
    "lost": ["my card is lost number {}", "where is the card {}", "我的卡丢了{}号"],
    "reset": ["reset my password {}", "how to reset the password {}", "密码怎么重置{}"],
}
HELD = {"lost": ["my lost card ?", "卡丢了"], "reset": ["reset the password ?", "重置密码"]}


def lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_tiny_bert(tmp_path / "tiny")
    logs = [
        {"text": text.format(number), "label": label if number < 6 else "?"}
        for label, texts in TEXTS.items()
        for number in range(20)
        for text in texts
    ]
    held = [{"text": text, "label": label} for label, texts in HELD.items() for text in texts]
    lines(tmp_path / "logs.jsonl", [*logs, {"text": held[0]["text"], "label": "?"}])
    lines(tmp_path / "held.jsonl", held)
    (tmp_path / "names.yaml").write_text("lost: {en: lost card, zh: 丢卡}\nreset: [reset password]\n")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def test_a_run_learns_from_rows_without_a_label_and_tells_what_it_chose(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    shown = CliRunner().invoke(app, ["train"], catch_exceptions=False).stdout
    assert "held-out score" in shown
    assert "plan: " in shown
    assert re.search(r"rows without a label: (29|30), \d+ learnt from", shown)  # one may be tested on
    recipe = Recipe.load(project / "recipe.yaml")
    run = run_recipe(recipe, listen=lambda _: None, until="evaluate")
    trained = run.folder.manifest.results["train"]
    config = json.loads((run.path / "model" / "config.json").read_bytes())
    assert trained["choice"] == config["choice"]
    assert {"seeds only", "names", "propagation"} <= set(trained["choice"]["scores"])
    assert trained["rows"] + trained["dev_rows"] == 36
    facts = [
        json.loads(file.read_bytes()) for file in (run.path / "evaluation" / "arms").glob("*/facts.json")
    ]
    told = {each["arm"]: each.get("choice") for each in facts}
    assert told["control"]["unlabelled"]["rows"] in (29, 30)
    assert not told["before"]


def test_no_row_that_is_tested_on_is_learnt_from(project: Path) -> None:
    recipe = Recipe.load(project / "recipe.yaml", overrides=["train.few_labels.unlabelled_rows=1000"])
    result = run_recipe(recipe, listen=lambda _: None, until="train")
    table = result.table()
    tested = examples_tested(recipe, result, table)
    found = Unlabelled(recipe, result, table, few_labels_of(recipe), tested)
    drawn = (found.of_sources(), found.of_train_part())
    of_sources, of_train = ([turns[0].text for turns in each] for each in drawn)
    assert len(of_sources) == len(of_train) == 84
    assert set(of_train) == set(of_sources)
    assert not set(of_sources) & set(tested.texts)
    nothing = Unlabelled(recipe, result, table, None, tested)
    assert nothing.of_train_part() == nothing.of_sources() == ()
