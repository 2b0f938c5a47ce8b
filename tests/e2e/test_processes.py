"""`zhiling train` in two processes, as torchrun starts it: one run, and the model of one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from tests.e2e.conftest import Cli
from tests.labelled_rows import labelled
from tests.several import run_in_processes

RECIPE = """\
version: 1
name: shared
sources:
  - {id: rows, use: labelled, path: data.jsonl, licence: Apache-2.0}
split: {train: 0.7, dev: 0.3, test: 0}
train: {task: classification, features: ngrams, dropout: 0, epochs: 3}
"""


def test_two_processes_of_one_command_make_one_run(tmp_path: Path, cli: Cli) -> None:
    rows = labelled(8)
    lines = [{"text": text, "label": label} for text, label in zip(rows.texts, rows.targets, strict=True)]
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
        (folder / "data.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    expected = cli("train", "--json", cwd=tmp_path / "one")
    assert expected.returncode == 0, expected.stderr
    first, second = run_in_processes(["-m", "zhiling", "train", "--json"], count=2, cwd=tmp_path / "two")
    assert first[0] == 0, first[2]
    assert second[:2] == (0, ""), second[2]
    assert len(list((tmp_path / "two" / "runs").glob("shared-*"))) == 1
    curves = [json.loads(told)["epochs"] for told in (expected.stdout, first[1])]
    assert [each["loss"] for each in curves[1]] == pytest.approx([e["loss"] for e in curves[0]], abs=1e-4)
