"""The example of a teacher: served by its rules, planned, previewed, run, retried."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from zhiling.cli.main import app
from zhiling.llm.fake_server import Behaviour, FakeServer, running
from zhiling.rows.target import Answers

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "generate" / "teacher"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[Path, FakeServer]]:
    root = tmp_path / "teacher"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    spec = importlib.util.spec_from_file_location("teacher_by_rules", root / "teacher.py")
    assert spec is not None
    assert spec.loader is not None
    rules: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rules)
    monkeypatch.chdir(root)
    with running(Behaviour(answer=rules.Teacher())) as server:
        recipe = root / "recipe.yaml"
        text = recipe.read_text("utf-8").replace(f"http://127.0.0.1:{rules.PORT}/v1", server.url)
        recipe.write_text(text, encoding="utf-8")
        yield root, server


def zhiling(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_example_runs_as_its_readme_says(project: tuple[Path, FakeServer]) -> None:
    root, server = project
    assert "model calls together: about" in zhiling("check")
    assert not server.seen
    shown = zhiling("preview", "qa", "-n", "3")
    assert "rows passed its checks" in shown
    assert "calls of a preview)" in shown
    summary = orjson.loads(zhiling("run", "--json").splitlines()[-1])
    assert summary["exit"] == 0
    assert summary["usd"] > 0
    failed = summary["counts"]["attempts"]["failed"]
    assert failed
    files = root.glob("runs/*/export/*.jsonl")
    rows = [line for file in files for line in file.read_bytes().splitlines()]
    assert len(rows) >= 30
    asked = sum(server.seen.values())
    again = orjson.loads(zhiling("run", "--retry-failed", "--json").splitlines()[-1])
    assert again["run"] != summary["run"]
    assert asked < sum(server.seen.values()) < 2 * asked


def test_every_answer_stands_in_its_passage(project: tuple[Path, FakeServer]) -> None:
    from zhiling.workflow.run import open_run

    zhiling("run", "--until", "rows")
    run = open_run(project[0])
    counts = [stage.counts["repeat"] for stage in run.folder.manifest.stages if stage.kind == "repeat"]
    assert [(each["accepted"], each["shortfall"]) for each in counts] == [(20, 0)]
    rows = run.rows().filter(task="qa")
    assert {"en", "zh"} <= set(rows["language"].to_list())
    for row in rows.iter_rows(named=True):
        for answer in Answers.model_validate_json(row["target"]).answers:
            assert answer.place is not None
            text = row["messages"][answer.place.message]["text"]
            assert text[answer.place.start : answer.place.end] == answer.text
