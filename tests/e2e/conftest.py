"""A project on disk and the command line as a user has it: a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

ENVIRONMENT = {
    **os.environ,
    "NO_COLOR": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `zhiling ARGUMENTS` in the test's folder."""

    def run(
        *arguments: str, cwd: Path | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zhiling", *arguments],
            cwd=cwd or tmp_path, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip

    return run


WORDS = [
    "order", "parcel", "lock", "lamp", "sensor", "battery", "account", "refund", "invoice", "label", "return",
    "订单", "包裹", "门锁", "电池", "账号", "退款", "发票",
]  # fmt: skip


def write_project(root: Path, rows: int, *, labels: bool = False) -> None:
    """A recipe and `rows` lines made of words, with copies, near copies and personal data among them."""
    draw = np.random.default_rng(5)
    lines: list[dict[str, str]] = []
    for number in range(rows):
        if lines and number % 11 == 0:
            lines.append(dict(lines[int(draw.integers(len(lines)))]))
            continue
        places: list[int] = draw.integers(len(WORDS), size=24).tolist()
        words = [WORDS[place] for place in places]
        if number % 17 == 0:
            words.append(f"write to user{number}@example.org")
        line = {"instruction": " ".join(words[:10]) + "?", "output": " ".join(words[10:]) + "."}
        lines.append({**line, "label": words[0]} if labels else line)
    (root / "data.jsonl").write_text(
        "\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8"
    )
    (root / "recipe.yaml").write_text(RECIPE, encoding="utf-8")


RECIPE = """\
version: 1
name: words
seed: 3
sources:
  - {id: words, use: tables, path: data.jsonl, licence: Apache-2.0}
steps:
  - {id: redact, use: redact}
  - {id: length, use: length, min_reply: 2}
  - {id: exact, use: exact_dedup}
  - {id: near, use: near_dedup, jaccard: 0.8}
  - {id: whole, use: truncated}
gates:
  - {check: rows, at_least: 10}
export:
  - {format: messages, path: sft.jsonl}
  - {format: csv, path: rows.csv}
"""
