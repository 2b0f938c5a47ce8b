"""What had to be done to answer is told beside the answers, not among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from typer.testing import CliRunner

from tests.tiny_lm import write_tiny_lm
from zhiling.cli.evaluate import told_notes
from zhiling.cli.main import app
from zhiling.rows.target import Entities, Span, spelled
from zhiling.training import Examples, TrainSettings, text_input, train
from zhiling.training.prompting.asking import UNREAD


def test_unread_replies_are_told_on_stderr(tmp_path: Path) -> None:
    model = write_tiny_lm(tmp_path / "lm", positions=512)
    rows = Examples(
        ("1",), (text_input("王强在青岛"),),
        (spelled(Entities(spans=[Span(start=0, end=2, label="person")])),), ("zh",),
    )  # fmt: skip
    asked = {"model": str(model), "max_new_tokens": 4}
    settings = TrainSettings.model_validate({"task": "ner", "prompting": asked})
    train(settings, (rows, rows), seed=0, evaluate=lambda _truth, _told: 0.0).save(tmp_path / "saved")
    done = CliRunner().invoke(app, ["predict", "李娜在杭州", "--model", str(tmp_path / "saved"), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"text": "李娜在杭州", "spans": [], "score": 0.0}
    assert f"1 {UNREAD}" in done.stderr


def test_notes_are_told_in_one_line() -> None:
    assert told_notes({"inputs cut": 2, "replies unread": 1}) == "2 inputs cut; 1 replies unread"
