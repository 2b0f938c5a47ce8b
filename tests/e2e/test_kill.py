"""kill -9 at any moment, then `run`: the same bytes in `export/`, nothing finished computed again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import ENVIRONMENT, Cli, write_project

ROWS = 3000


def exported(root: Path) -> dict[str, bytes]:
    newest = sorted((root / "runs").glob("words-*"))[-1]
    return {path.name: path.read_bytes() for path in sorted((newest / "export").iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """The exports of a run that nobody killed, and how long it took."""
    root = tmp_path_factory.mktemp("whole")
    write_project(root, ROWS)
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "zhiling", "run"], cwd=root, env=ENVIRONMENT, check=True, capture_output=True
    )
    return exported(root), time.monotonic() - started


@pytest.mark.parametrize("trial", range(4))
def test_killed_runs_end_with_the_same_bytes(
    trial: int, tmp_path: Path, whole: tuple[dict[str, bytes], float], cli: Cli
) -> None:
    expected, seconds = whole
    write_project(tmp_path, ROWS)
    moments = np.random.default_rng(trial).uniform(0.15, 0.95, size=3) * seconds
    for moment in moments:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhiling", "run"], cwd=tmp_path, env=ENVIRONMENT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(float(moment))
        process.kill()
        process.wait()
    done_before = _finished_parts(tmp_path)
    result = cli("run", "--json")
    assert result.returncode == 0, result.stderr
    assert exported(tmp_path) == expected
    assert len(list((tmp_path / "runs").glob("words-*"))) == 1
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert sum(event["event"] == "part" for event in events) == _finished_parts(tmp_path) - done_before
    doctor = cli("doctor")
    assert doctor.returncode == 0, doctor.stdout


def _finished_parts(root: Path) -> int:
    """Parts that a next process will not compute again: a source is read whole or not at all."""
    manifests = list((root / "runs").glob("words-*/manifest.json"))
    if not manifests:
        return 0
    stages = json.loads(manifests[0].read_text(encoding="utf-8"))["stages"]
    return sum(len(stage["parts"]) for stage in stages if stage["done"] or stage["kind"] != "source")


def test_a_second_run_in_the_same_project_is_refused(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 20_000)
    first = subprocess.Popen(
        [sys.executable, "-m", "zhiling", "run"], cwd=tmp_path, env=ENVIRONMENT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "runs").glob("words-*/manifest.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        second = cli("run")
        assert second.returncode == 3, second.stderr
        assert "another process is working in this project" in second.stderr
    finally:
        first.wait(timeout=120)
    assert first.returncode == 0
    assert cli("doctor").returncode == 0
