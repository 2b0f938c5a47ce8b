"""Training over an encoder that has read on, the distance that is kept, and what `check` says beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert
from zhiling.errors import RecipeError
from zhiling.training.transfer.distance import Transfer
from zhiling.workflow.check import check
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

RECIPE = """
version: 1
name: on
sources: [{id: own, use: labelled, path: rows.jsonl, licence: none}]
split: {train: 0.7, dev: 0.3, test: 0, near: null}
train:
  features: encoder
  backbone: tiny
  method: full
  epochs: 1
  continued: {texts: logs.jsonl, batch_size: 8}
evaluate: {data: held.jsonl, arms: [after], seeds: 1, unseen: false}
"""
TEXTS = {
    "lost": ["my card is lost number {}", "where is the card {}"],
    "reset": ["reset my password {}", "how to reset the password {}"],
}


def lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_tiny_bert(tmp_path / "tiny")
    numbered = {
        label: [text.format(number) for number in range(10) for text in texts]
        for label, texts in TEXTS.items()
    }
    rows = [{"text": text, "label": label} for label, texts in numbered.items() for text in texts]
    lines(tmp_path / "rows.jsonl", rows)
    lines(tmp_path / "held.jsonl", [{"text": f"{row['text']} please", "label": row["label"]} for row in rows])
    lines(tmp_path / "logs.jsonl", [{"text": "where is my parcel ?"}, {"text": f"{rows[0]['text']} please"}])
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def test_an_encoder_reads_on_once_and_what_was_measured_is_kept(project: Path) -> None:
    told: list[dict[str, Any]] = []
    recipe = Recipe.load(project / "recipe.yaml")
    run = run_recipe(recipe, listen=told.append, until="evaluate")
    (encoder,) = (project / "runs" / "encoders").iterdir()
    assert [event["epoch"] for event in told if event.get("arm") == "encoder"] == [1]
    config = json.loads((run.path / "model" / "config.json").read_bytes())
    assert config["settings"]["backbone"] == str(encoder)
    distance = Transfer(**run.folder.manifest.results["train"]["transfer"])
    assert distance.texts >= 14
    assert not distance.far
    assert distance.unknown["und"] > 0.2  # the tiny encoder knows 15 words
    told.clear()
    again = run_recipe(recipe, new=True, listen=told.append, until="evaluate")
    assert again.path != run.path
    assert not [event for event in told if event.get("event") == "epoch"]


def test_check_tells_of_unread_scripts_and_of_test_rows_from_elsewhere(project: Path) -> None:
    recipe = Recipe.load(project / "recipe.yaml")
    (unread,) = check(recipe).warnings[1:]
    assert "texts in latin script: set features: both or ngrams" in unread
    chinese = [{"text": f"你们的客服态度非常好{number}", "label": "lost"} for number in range(20)]
    lines(project / "held.jsonl", chinese)
    warnings = "\n".join(check(recipe).warnings)
    assert "texts in han script are tested on, and none of 40 sampled rows" in warnings
    assert "the rows to be tested on are unlike those to learn from" in warnings
    both = Recipe.load(project / "recipe.yaml", overrides=["train.features=both"])
    assert not any("no entry" in warning for warning in check(both).warnings)


def test_no_encoder_cannot_read_on(project: Path) -> None:
    with pytest.raises(
        RecipeError, match="continued lets an encoder read on, but features='ngrams' has none"
    ):
        Recipe.load(project / "recipe.yaml", overrides=["train.features=ngrams", "train.method=frozen"])
