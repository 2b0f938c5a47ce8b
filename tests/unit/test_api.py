"""The public Python API: what `zhiling` holds, runs as frames, and what it says when something is missing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import zhiling
from zhiling.errors import DamagedFile, GateFailed, MissingInput, RecipeError
from zhiling.workflow.start import start_project


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    """The starter's recipe in a folder of its own."""
    start_project(tmp_path)
    return tmp_path / "recipe.yaml"


def test_public_names_are_sorted_and_can_be_imported() -> None:
    assert zhiling.__all__ == sorted(zhiling.__all__)
    for name in zhiling.__all__:
        found = getattr(zhiling, name)
        assert found.__name__ == name
        assert found.__doc__, f"{name} has no docstring"
    with pytest.raises(AttributeError, match="has no attribute 'unheard_of'"):
        _ = zhiling.unheard_of


def test_type_checkers_see_the_same_names() -> None:
    """The lazy table and the imports under TYPE_CHECKING name the same objects."""
    tree = ast.parse(Path(zhiling.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(imported) == zhiling.__all__
    assert imported == zhiling._HOMES


def test_importing_zhiling_imports_nothing_heavy() -> None:
    program = (
        "import sys, zhiling; "
        "print(sorted({'polars', 'numpy', 'torch', 'pydantic', 'sklearn'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_recipe_runs_and_gives_frames(starter: Path) -> None:
    run = zhiling.Recipe.load(starter).run(until="export")
    counts = run.counts
    assert counts["in"] == 26
    assert counts["in"] + counts["made"] == counts["kept"] + counts["replaced"] + sum(
        sum(counts[group].values()) for group in ("rejected", "failed")
    )
    rows = run.rows()
    assert isinstance(rows, pl.DataFrame)
    assert rows.height == counts["kept"] - counts["material"]
    parts = pl.concat([run.rows(part) for part in ("train", "dev", "test")])
    assert parts.sort("n").equals(rows.sort("n"))
    assert set(rows["split"]) == {"train", "dev", "test"}


def test_events_are_told_to_a_listener(starter: Path) -> None:
    events: list[dict[str, object]] = []
    zhiling.Recipe.load(starter).run(until="export", listen=events.append)
    assert {"start", "part", "done", "gate", "stage", "exported"} <= {str(event["event"]) for event in events}
    events.clear()
    zhiling.Recipe.load(starter).run(until="export", listen=events.append)
    assert [event["event"] for event in events] == ["unchanged"]


def test_settings_can_be_laid_over_a_recipe(starter: Path) -> None:
    strict = zhiling.Recipe.load(starter, overrides=["length.min_reply=1000"])
    with pytest.raises(GateFailed, match="rows is 0"):
        strict.run(until="export")


def test_open_run_finds_by_folder_and_by_project(starter: Path) -> None:
    run = zhiling.Recipe.load(starter).run(until="export")
    for place in (starter.parent, run.path, str(run.path)):
        found = zhiling.open_run(place)
        assert found.id == run.id
        assert found.counts == run.counts
        assert found.rows("train").equals(run.rows("train"))


def test_open_run_says_what_is_missing_or_damaged(starter: Path) -> None:
    with pytest.raises(MissingInput, match="no runs in"):
        zhiling.open_run(starter.parent)
    run = zhiling.Recipe.load(starter).run(until="rows")
    manifest = run.path / "manifest.json"
    content = manifest.read_bytes()
    manifest.write_bytes(content[:100])
    with pytest.raises(DamagedFile, match="not a manifest"):
        zhiling.open_run(run.path)
    manifest.write_bytes(content.replace(b'"format": 1', b'"format": 0'))
    with pytest.raises(DamagedFile, match="run format 0; this zhiling reads format 1"):
        zhiling.open_run(run.path)


def test_rows_of_a_run_that_was_not_split_are_refused(starter: Path) -> None:
    with pytest.raises(GateFailed):
        zhiling.Recipe.load(starter, overrides=["length.min_reply=1000"]).run()
    with pytest.raises(MissingInput, match="has not come to its split: it is gate_failed"):
        zhiling.open_run(starter.parent).rows()


def test_a_missing_or_wrong_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no recipe at"):
        zhiling.Recipe.load(tmp_path / "recipe.yaml")
    (tmp_path / "recipe.yaml").write_text("version: 1\nsorces: []\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="did you mean 'sources'") as caught:
        zhiling.Recipe.load(tmp_path / "recipe.yaml")
    assert isinstance(caught.value, zhiling.ZhilingError)
    assert len(caught.value.problems) == 2


def test_a_step_of_ones_own_is_named_by_module_and_class(
    starter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = starter.parent / "own_steps.py"
    module.write_text(OWN_STEPS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(starter.parent))
    text = starter.read_text(encoding="utf-8")
    starter.write_text(
        text.replace("steps:", "steps:\n  - {id: calm, use: 'own_steps:Calm'}"), encoding="utf-8"
    )
    with (starter.parent / "data" / "faq.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"instruction": "WHERE IS IT?!", "output": "It is on the shelf behind the desk."}\n')
    run = zhiling.Recipe.load(starter).run(until="export")
    assert run.counts["rejected"]["loud"] == 1


OWN_STEPS = '''
"""Steps of this project."""

from enum import StrEnum

import zhiling


class Reason(StrEnum):
    """Why a row is rejected."""

    LOUD = "loud"


def calm(row):
    """Rejects questions that shout."""
    return Reason.LOUD if row["messages"][0]["text"].isupper() else None


Calm = zhiling.per_row(calm, name="calm", reasons=Reason)
'''
