"""A model's rows as its card tells them: licences, the templates that wrote them, the recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

import zhiling
from zhiling.workflow.run import run_recipe

RECIPE = """\
version: 1
name: cards
sources:
  - {id: en, use: labelled, path: en.jsonl, language: en, licence: Apache-2.0}
  - {id: zh, use: labelled, path: zh.jsonl, language: zh, licence: CC-BY-4.0}
steps:
  - {id: wordings, use: template, wordings: ["classification/*"]}
split: {train: 0.8, dev: 0.2, test: 0}
train: {task: classification, features: ngrams, epochs: 1}
"""


def test_a_model_keeps_where_its_rows_come_from(tmp_path: Path) -> None:
    for name, phrases in {"en": ("lost card", "late parcel"), "zh": ("卡丢了", "快递没到")}.items():
        lines = [
            {"text": f"{phrases[number % 2]} {number}", "label": ("card", "parcel")[number % 2]}
            for number in range(20)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    run = run_recipe(zhiling.Recipe.load(tmp_path / "recipe.yaml"), until="train")
    config = json.loads((run.path / "model" / "config.json").read_text("utf-8"))
    origin = config["origin"]
    assert set(origin["licences"]) == {"Apache-2.0", "CC-BY-4.0"}
    assert sum(origin["licences"].values()) == config["rows"]
    assert sum(each["rows"] for each in origin["templates"].values()) == config["rows"]
    assert all(
        name.startswith(f"classification/{each['language']}/") for name, each in origin["templates"].items()
    )
    assert "use: template" in origin["recipe"]
    assert "CC-BY-4.0" in (run.path / "model" / "README.md").read_text("utf-8")
