"""Ctrl-C pauses a run, also where Polars makes a panic of it; any other panic is what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from polars.exceptions import PanicException

from zhiling.errors import Interrupted
from zhiling.workflow import run as running
from zhiling.workflow.recipe import Recipe

RECIPE = """
version: 1
name: words
sources: [{id: words, use: instructions, path: rows.jsonl}]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "rows.jsonl").write_text(
        '{"instruction": "where? 在哪？", "output": "here"}\n', encoding="utf-8"
    )
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return Recipe.load(tmp_path / "recipe.yaml")


def _raising(error: BaseException) -> Any:
    def rows(*_: object) -> None:
        raise error

    return rows


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), PanicException("PyErr { type: <class 'KeyboardInterrupt'> }")], ids=type
)
def test_an_interrupt_pauses_and_the_next_run_goes_on(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(running, "_rows", _raising(error))
        with pytest.raises(Interrupted, match="goes on"):
            running.run_recipe(recipe)
    assert running.open_run(recipe.root).folder.manifest.state == "paused"
    assert running.run_recipe(recipe).counts["kept"] == 1
    assert len(list((recipe.root / "runs").glob("words-*"))) == 1


def test_another_panic_is_told_as_it_is(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_rows", _raising(PanicException("index out of bounds")))
    with pytest.raises(PanicException, match="out of bounds"):
        running.run_recipe(recipe)
