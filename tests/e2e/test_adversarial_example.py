"""The example of the adversarial loop: rows in both languages, and small talk stays without a label."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli

pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "adversarial"


def test_the_log_gets_labels_and_small_talk_gets_none(tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "adversarial"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    done = cli("run", "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    files = list(root.glob("runs/*/export/rows*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    texts = {message["content"] for row in rows for message in row["messages"]}
    assert len(rows) > 200
    assert {text.isascii() for text in texts} == {True, False}
    assert not any(word in text for text in texts for word in ("weather", "football", "天气", "股市"))
    told = json.loads(next(root.glob("runs/*/*-gan_accept-r01/*/state/round.json")).read_text("utf-8"))
    assert told["utility"] > told["anchors"]
    assert cli("doctor", cwd=root).returncode == 0
    pages = [
        next(root.glob(f"runs/*/report/steps{language}.html")).read_text("utf-8") for language in ("", ".zh")
    ]
    assert "the loop ends" in pages[0]
    assert "循环结束" in pages[1]
