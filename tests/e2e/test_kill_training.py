"""kill -9 in mid-training, then `train`: the same final weights."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.e2e.conftest import ENVIRONMENT, Cli
from tests.labelled_rows import labelled

RECIPE = """\
version: 1
name: killed
sources:
  - {id: rows, use: labelled, path: data.jsonl, licence: Apache-2.0}
split: {train: 0.8, dev: 0.2, test: 0}
train: {task: classification, features: ngrams, epochs: 40, patience: 40, batch_size: 4}
"""
PROGRAM = """\
import runpy, sys
from zhiling.training.running import resume
resume.SECONDS_BETWEEN = 0.0
sys.argv = ["zhiling", "train"]
runpy.run_module("zhiling", run_name="__main__")
"""
"""`zhiling train` that stores its state after each epoch, however short."""


def write(root: Path) -> None:
    root.mkdir()
    rows = labelled(20)
    lines = [{"text": text, "label": label} for text, label in zip(rows.texts, rows.targets, strict=True)]
    (root / "data.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")


def weights(root: Path) -> bytes:
    (file,) = root.glob("runs/killed-*/model/model.safetensors")
    return file.read_bytes()


def written(root: Path) -> float:
    """When a state of a training was written last; 0 before."""
    states = root.glob("runs/*/evaluation/arms/*/training.pt")
    return max((state.stat().st_mtime for state in states), default=0.0)


def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, cli: Cli) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    write(whole)
    assert cli("train", cwd=whole).returncode == 0
    write(killed)
    seen = 0.0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=killed, env=ENVIRONMENT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        before, seen = seen, written(killed)
        while process.poll() is None and seen <= before:
            time.sleep(0.002)
            seen = written(killed)
        assert process.poll() is None, "the training ended before it could be killed"
        process.kill()
        process.wait()
    again = cli("train", "--json", cwd=killed)
    assert again.returncode == 0, again.stderr
    assert weights(killed) == weights(whole)
    assert not list(killed.glob("runs/*/evaluation/arms/*/training.*"))
