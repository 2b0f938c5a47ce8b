"""What every registered gate must obey: a figure, held against its bounds, the same each time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.toys import Above, Size, World
from zhiling.pipeline import registry
from zhiling.pipeline.gates import Gate
from zhiling.pipeline.plan import StepLine
from zhiling.pipeline.table import RowTable

GATES = sorted(registry.table("gate"))
LINES = ["!unreadable", "tiny", "hi", "boom", *(f"line number {i}" for i in range(16))]
STEPS = (StepLine("size", Size()), StepLine("above", Above()))

# Of 19 rows and a bad item, 2 are too small, 1 cannot be measured and 1 stands in the file held out.
# No licence is stated for any of the 16 that are left.
EXPECTED = {
    "rows": 16, "bad": 1 / 20, "failed": 1 / 19, "rejected": 2 / 19, "contaminated": 1, "licence": 16,
    "score": 0.75, "counterfactual": 0.25,
}  # fmt: skip
REQUIRED: dict[str, dict[str, Any]] = {
    "contaminated": {"against": ["held.jsonl"]},
    "licence": {"allow": ["MIT"]},
    "score": {"metric": "accuracy"},
}


def near(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.125, "high": mean + 0.125}


EVALUATION = {
    "scores.json": {
        "arms": {"after": {"accuracy": near(0.75)}, "control": {"accuracy": near(0.5)}},
        "differences": {"after-control": {"accuracy": near(0.25)}},
    },
    "counterfactual.json": {
        "refused": "",
        "effects": [
            {
                "kind": "name", "language": "zh", "on": "rows",
                "flips": {"after": near(0.25)}, "added": near(0.5),
            },
            {
                "kind": "gender", "language": "en", "on": "templates",
                "flips": {"after": near(0.125)}, "added": None,
            },
        ],
    },
}  # fmt: skip


def evaluated(run: Path) -> None:
    """What an evaluation left."""
    (run / "evaluation").mkdir()
    for name, content in EVALUATION.items():
        (run / "evaluation" / name).write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def finished(tmp_path: Path) -> tuple[RowTable, dict[str, Any], Path]:
    (tmp_path / "held.jsonl").write_text('{"text": "Line number 3!"}\n', encoding="utf-8")
    runner, table = World(tmp_path).run(LINES, STEPS)
    evaluated(runner.run.path)
    return table, runner.totals(), tmp_path


def make(name: str, **bounds: Any) -> Gate:
    return registry.load("gate", name)(**REQUIRED.get(name, {}), **bounds)


def test_every_gate_has_an_expected_figure() -> None:
    assert set(EXPECTED) == set(GATES)


@pytest.mark.parametrize("name", GATES)
def test_the_figure_is_right_and_repeats(name: str, finished: tuple[RowTable, dict[str, Any], Path]) -> None:
    gate = make(name, at_least=0)
    assert gate.value(*finished) == pytest.approx(EXPECTED[name])
    assert gate.value(*finished) == gate.value(*finished)


@pytest.mark.parametrize("name", GATES)
def test_bounds_are_inclusive(name: str, finished: tuple[RowTable, dict[str, Any], Path]) -> None:
    value = make(name, at_least=0).value(*finished)
    assert make(name, at_least=value, at_most=None).check(*finished).ok
    assert make(name, at_most=value).check(*finished).ok
    assert not make(name, at_least=value + 0.001, at_most=None).check(*finished).ok
    assert not make(name, at_least=0, at_most=value - 0.001).check(*finished).ok
    result = make(name, at_least=0, at_most=value).check(*finished)
    assert result.detail == "", "only a gate that says no has to explain itself"
    assert (result.check, result.value, result.at_least, result.at_most) == (name, value, 0, value)


@pytest.mark.parametrize("name", GATES)
def test_no_rows_are_no_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "held.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    runner, table = World(tmp_path).run(["!unreadable"], STEPS)
    evaluated(runner.run.path)
    assert make(name, at_least=0).check(table, runner.totals(), tmp_path).ok


@pytest.mark.parametrize("name", GATES)
def test_settings_go_to_json_and_back(name: str) -> None:
    gate = make(name, at_most=3)
    assert type(gate).name == name
    assert type(gate).__doc__
    assert type(gate).model_validate_json(gate.model_dump_json()) == gate
    assert all(info.description for info in type(gate).model_fields.values()), "every setting is described"


@pytest.mark.parametrize("name", GATES)
def test_a_gate_without_bounds_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="needs at_least or at_most"):
        make(name, at_most=None)  # a gate may have a bound of its own
