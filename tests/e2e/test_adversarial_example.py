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


def test_the_comparison_tells_what_the_loop_brings_and_goes_on_where_it_stood(
    tmp_path: Path, cli: Cli
) -> None:
    root = tmp_path / "adversarial"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("runs", "zhiling.sqlite*"))
    asked = (
        "adversarial", "compare", "--arms", "loop", "--seeds", "1", "--test-file", "test.jsonl",
        "--truth", "truth.jsonl",
    )  # fmt: skip
    done = cli(*asked, cwd=root)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("seeds only", "filter once", "loop"))
    assert "loop beats filter once" in done.stdout or "loop does not beat filter once" in done.stdout
    told = json.loads(cli(*asked, "--json", cwd=root).stdout)
    assert [arm["state"] for arm in told["arms"]] == ["done"] * 3
    assert told["tested"] == [56]
    folder = Path(told["folder"])
    assert json.loads((folder / "comparison.json").read_text("utf-8"))["arms"] == told["arms"]
    assert (folder / "comparison.zh.html").is_file()
    wrong = cli("adversarial", "compare", "--arms", "lop", cwd=root)
    assert wrong.returncode == 2
    assert "did you mean 'loop'?" in wrong.stderr
