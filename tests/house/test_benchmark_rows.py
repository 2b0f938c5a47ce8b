"""`python -m benchmarks.TOPIC ROW` runs the scripts that measure ROW, and each that is named exists."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import rows

TOPICS = ("adversarial", "curation", "generation", "models", "sources", "spine")


@pytest.mark.parametrize(
    ("wanted", "scripts"),
    [("9", ["9", "9e"]), ("9e", ["9e"]), ("9a", ["9"]), ("1", ["1"]), ("heavy", ["heavy"]), ("2", [])],
)
def test_a_row_is_measured_by_its_own_script_else_by_that_of_its_number(
    wanted: str, scripts: list[str]
) -> None:
    assert rows.chosen(wanted, ("9", "1", "9e", "10", "heavy")) == scripts


def test_no_row_means_all() -> None:
    assert rows.chosen("", ("1", "7s")) == ["1", "7s"]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_script_is_there(topic: str) -> None:
    module = import_module(f"benchmarks.{topic}.__main__")
    folder = Path(str(module.__file__)).parent
    assert [script for script, *_ in module.SCRIPTS.values() if not (folder / script).is_file()] == []
