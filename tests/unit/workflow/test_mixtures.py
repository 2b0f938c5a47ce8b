"""Mixtures of a run: the tree is told from the folder, carried over or not; its columns are straight."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from zhiling.cli.console import print_mixture
from zhiling.curation.mixing import Weighting, plan
from zhiling.workflow.inspect.mixtures import mixtures
from zhiling.workflow.inspect.shortfalls import shortfalls
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe

RECIPE = """
version: 1
name: mix
sources:
  - {id: en, use: labelled, path: en.jsonl, language: en, licence: none}
  - {id: zh, use: labelled, path: zh.jsonl, language: zh, licence: none}
steps:
  - {id: mix, use: mixture, size: 6, weights: {en: 1, zh: 2}}
"""


def test_a_run_tells_its_tree_also_when_it_is_carried_over(tmp_path: Path) -> None:
    for name, texts in (
        ("en", ["where is it", "reset it", "a lock"]),
        ("zh", ["包裹在哪", "重置", "门锁", "发票"]),
    ):
        lines = [json.dumps({"text": text, "label": "x"}, ensure_ascii=False) for text in texts]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    told = []
    for new in (False, True):
        run = run_recipe(recipe, new=new, until="rows")
        tree = mixtures(run.path)["mix"]
        assert [(part.name, part.drawn, part.rows) for part in tree.parts] == [("en", 2, 3), ("zh", 4, 4)]
        assert tree.drawn == run.counts["kept"] == 6
        told.append(tree.as_dict())
        assert shortfalls(run.path) == {}
    assert told[0] == told[1]
    assert [part["share"] for part in told[0]["parts"]] == [0.333333, 0.666667]
    assert run_recipe(recipe, until="rows").path.name == "mix-0002"


def test_what_a_step_could_not_give_is_told(tmp_path: Path) -> None:
    for name in ("en", "zh"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "门锁 lock", "label": "x"}\n' * 3, encoding="utf-8")
    further = "  - {id: choose, use: select, size: 4, method: random}\n  - {id: few, use: sample, size: 9}\n"
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("size: 6", "size: 8") + further, encoding="utf-8")
    run = run_recipe(Recipe.load(tmp_path / "recipe.yaml"), until="rows")
    assert shortfalls(run.path) == {"mix": (6, 8), "few": (4, 9)}


def test_counts_stand_in_columns_whatever_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"手册": {"问答": 6000, "ner": 20}, "logs": {"qa": 10, "": 10}}
    print_mixture("mix", plan(rows, 50, (Weighting({}), Weighting({})), 1.0, "here"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("%")[0].split()[-1] for line in lines] == [
        "100.0",
        "99.7",
        "99.7",
        "0.3",
        "0.3",
        "50.0",
        "50.0",
    ]
    for mark in ("%", " of ", " rows", " epochs"):
        assert len({cell_len(line[: line.index(mark)]) for line in lines}) == 1, mark
    assert "(none)" in lines[-1]


def test_a_mixture_of_nothing_is_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    print_mixture("mix", plan({}, 5, (Weighting({}), Weighting({})), 1.0, "here"))
    assert capsys.readouterr().out.split() == [
        "mixture",
        "mix",
        "100.0%",
        "0",
        "of",
        "0",
        "rows",
        "0.00",
        "epochs",
    ]
