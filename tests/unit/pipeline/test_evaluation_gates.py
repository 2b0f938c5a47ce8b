"""Gates of the evaluation: the figure asked for, what is missing, and a run that stops behind its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_gates import EVALUATION, evaluated
from tests.toys import World
from tests.unit.workflow.test_harm import project
from zhiling.errors import DamagedFile, GateFailed, RecipeError, UsageError
from zhiling.pipeline.evaluation_gates import Counterfactual, Score
from zhiling.pipeline.gates import Gate
from zhiling.pipeline.store import RunFolder
from zhiling.pipeline.table import RowTable
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import run_recipe


@pytest.fixture
def table(tmp_path: Path) -> RowTable:
    runner, table = World(tmp_path).run(["one line"], ())
    evaluated(runner.run.path)
    return table


def value(gate: Gate, table: RowTable) -> float:
    return gate.value(table, {}, Path())


@pytest.mark.parametrize(
    ("settings", "figure"),
    [
        ({}, 0.75),
        ({"end": "low"}, 0.625),
        ({"arm": "control", "end": "high"}, 0.625),
        ({"minus": "control"}, 0.25),
        ({"minus": "control", "end": "low"}, 0.125),
    ],
)
def test_scores_and_differences(settings: dict[str, Any], figure: float, table: RowTable) -> None:
    gate = Score.model_validate({"metric": "accuracy", "at_least": 0, **settings})
    assert value(gate, table) == figure


@pytest.mark.parametrize(
    ("settings", "figure"),
    [
        ({}, 0.25),
        ({"kind": "gender"}, 0.125),
        ({"on": "templates", "end": "high"}, 0.25),
        ({"added": True}, 0.5),
    ],
)
def test_flips(settings: dict[str, Any], figure: float, table: RowTable) -> None:
    assert value(Counterfactual.model_validate({"at_most": 1, **settings}), table) == figure


def test_a_gate_that_says_no_tells_its_lines(table: RowTable) -> None:
    found = Counterfactual.model_validate({"at_most": 0.2}).check(table, {}, Path())
    assert not found.ok
    assert found.detail == "name, zh, rows: 0.250; gender, en, templates: 0.125"


def test_what_was_not_measured_is_no_figure(table: RowTable) -> None:
    with pytest.raises(UsageError, match="no 'f1' of 'after'") as raised:
        value(Score.model_validate({"metric": "f1", "at_least": 0}), table)
    assert "accuracy" in str(raised.value.hint)
    with pytest.raises(UsageError, match="after-before"):
        value(Score.model_validate({"metric": "accuracy", "minus": "before", "at_least": 0}), table)
    with pytest.raises(UsageError, match="no text was swapped"):
        value(Counterfactual.model_validate({"kind": "region", "at_most": 0}), table)
    with pytest.raises(UsageError, match="no text was swapped"):
        value(Counterfactual.model_validate({"kind": "gender", "added": True, "at_most": 0}), table)
    folder = table.files().folder / "evaluation"
    told = {**EVALUATION["counterfactual.json"], "refused": "task relation: in words", "effects": []}
    (folder / "counterfactual.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match="task relation"):
        value(Counterfactual.model_validate({"at_most": 0}), table)
    (folder / "scores.json").write_text("{")
    with pytest.raises(DamagedFile, match="not JSON"):
        value(Score.model_validate({"metric": "accuracy", "at_least": 0}), table)
    (folder / "scores.json").unlink()
    with pytest.raises(UsageError, match=r"scores\.json"):
        value(Score.model_validate({"metric": "accuracy", "at_least": 0}), table)


def test_a_run_stops_behind_its_report(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    gates = (
        "{check: rows, at_least: 10}, {check: score, metric: accuracy, at_least: 0}, "
        "{check: counterfactual, at_most: 0.1}"
    )
    recipe = project(tmp_path, unfair=True, gates=gates, arms="after")
    with pytest.raises(GateFailed, match=r"counterfactual is 1 \(gender, "):
        run_recipe(recipe)
    run = RunFolder.open(next((tmp_path / "runs").glob("toy-*")))
    assert [(gate["check"], gate["ok"]) for gate in run.manifest.gates] == [
        ("rows", True), ("score", True), ("counterfactual", False),
    ]  # fmt: skip
    assert run.manifest.state == "gate_failed"
    assert (run.path / "report" / "evaluation.html").is_file()


@pytest.mark.parametrize(
    ("gate", "evaluate", "told"),
    [
        ("{check: counterfactual, at_most: 0.1}", "", "no `evaluate` section"),
        (
            "{check: counterfactual, at_most: 0.1}",
            "evaluate: {counterfactual: null}",
            "counterfactual is null",
        ),
        ("{check: score, metric: mrr, at_least: 0.1}", "evaluate: {}", "evaluate.metrics is"),
        (
            "{check: score, metric: accuracy, minus: control, at_least: 0}",
            "evaluate: {arms: [after]}",
            "'control'",
        ),
    ],
)
def test_what_the_evaluation_will_not_tell_is_said_before(
    gate: str, evaluate: str, told: str, tmp_path: Path
) -> None:
    project(tmp_path, unfair=True)
    text = (tmp_path / "recipe.yaml").read_text(encoding="utf-8")
    changed = f"{text[: text.index('evaluate:')]}{evaluate}\ngates: [{gate}]\n"
    (tmp_path / "recipe.yaml").write_text(changed, encoding="utf-8")
    with pytest.raises(RecipeError, match=told):
        Recipe.load(tmp_path / "recipe.yaml")
