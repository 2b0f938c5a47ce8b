"""A threshold set on some labelled rows of public sets keeps its promise on the others."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.real.test_public_sets import DATA
from zhiling.workflow.calibrate.calibrate import Promise, calibrate
from zhiling.workflow.calibrate.curve import measure
from zhiling.workflow.calibrate.scores import look
from zhiling.workflow.calibrate.truth import Truth
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here"),
]

RECIPE = """\
version: 1
name: planted
sources:
  - {id: rows, use: labelled, path: data.jsonl, licence: CC-BY-4.0}
steps:
  - {id: doubt, use: label_errors, features: ngrams}
  - {id: right, use: threshold, column: doubt.score, at_least: -0.9, verdict: flag}
"""
ROWS, LABELS, WRONG = 2_400, 10, 0.2
PRECISION = 0.75


def planted(file: str, root: Path) -> Mapping[str, bool]:
    """Writes rows of a set, a fifth of them under a wrong label; row key → whether it is."""
    draw = random.Random(11)
    with gzip.open(DATA / file, "rt", encoding="utf-8") as stream:
        found: list[dict[str, Any]] = [json.loads(line) for line in stream]
    labels = sorted({row["label"] for row in found})[:LABELS]
    rows = [row for row in found if row["label"] in labels]
    draw.shuffle(rows)
    wrong: dict[str, bool] = {}
    lines: list[str] = []
    for number, row in enumerate(rows[:ROWS]):
        wrong[str(number)] = draw.random() < WRONG
        others = [label for label in labels if label != row["label"]]
        label = draw.choice(others) if wrong[str(number)] else row["label"]
        lines.append(json.dumps({"id": str(number), "text": row["text"], "label": label}, ensure_ascii=False))
    (root / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return wrong


@pytest.mark.parametrize("file", ["banking77/train.jsonl.gz", "thucnews_titles/dev.jsonl.gz"])
def test_the_promise_holds_on_rows_that_nobody_labelled(file: str, tmp_path: Path) -> None:
    wrong = planted(file, tmp_path)
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    table = run_recipe(recipe, until="rows").table()
    frame = table.read(["id", "locator"], table.sources())
    lines = [int(locator.rpartition(":")[2]) - 1 for locator in frame["locator"].to_list()]
    bad = {number: wrong[str(line)] for number, line in enumerate(lines)}
    ids = dict(enumerate(frame["id"].to_list()))
    halves = [
        Truth(tmp_path / "truth", {n: bad[n] for n in half}, {n: ids[n] for n in half}, {})
        for half in (range(0, len(ids), 2), range(1, len(ids), 2))
    ]
    measured = measure(recipe, "doubt", halves[0])
    found = calibrate(measured, Promise(PRECISION, 0.9))
    unseen = look(recipe, measured.line, measured.bound, halves[1])
    acted = unseen.scores > -found.point.value
    assert acted.sum() > 30
    assert np.mean(unseen.bad[acted]) >= PRECISION - 0.03, "nine of ten times; the sample adds noise"
    assert found.point.recall.value is not None
    assert found.point.recall.value > 0.2
