"""A run with a local model: measured, judged by a threshold, chosen by quality; a missing one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny_lm import CHINESE, ENGLISH, write_tiny_lm
from zhiling.errors import MissingInput
from zhiling.workflow.check import check
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

pytest.importorskip("torch")
pytest.importorskip("transformers")

RECIPE = """\
version: 1
name: quality
encoder: {use: hashing}
sources:
  - {id: lines, use: tables, path: data.jsonl, licence: Apache-2.0}
steps:
  - {id: hard, use: ifd, model: models/tiny}
  - {id: foreseen, use: threshold, column: hard.score, at_most: 2.0}
  - {id: chosen, use: select, size: 5, method: quality_coverage, quality: hard.score}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    rows = [{"instruction": f"{one}?", "output": other} for one in ENGLISH for other in CHINESE]
    rows += [{"instruction": "too long", "output": "包裹" * 60}]
    (tmp_path / "data.jsonl").write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8"
    )
    return Recipe.load(tmp_path / "recipe.yaml")


def test_rows_are_measured_judged_and_chosen(recipe: Recipe) -> None:
    write_tiny_lm(recipe.root / "models" / "tiny", steps=20)
    run = run_recipe(recipe)
    hard, foreseen, chosen = (
        stage for stage in run.folder.manifest.stages if stage.id in ("hard", "foreseen", "chosen")
    )
    assert hard.counts["failed"] == {"too_long": 1}
    assert sum(foreseen.counts["keep"].values()) + sum(foreseen.counts.get("reject", {}).values()) == 16
    assert sum(chosen.counts["keep"].values()) == 5
    again = run_recipe(recipe)
    assert again.id == run.id
    write_tiny_lm(recipe.root / "models" / "tiny", steps=21)
    changed = run_recipe(recipe)
    assert changed.id != run.id, "another model gives other values"


def test_a_missing_model_is_told_before_anything_runs(recipe: Recipe) -> None:
    with pytest.raises(MissingInput, match="no model at 'models/tiny'"):
        check(recipe)
