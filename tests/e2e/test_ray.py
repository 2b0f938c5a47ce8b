"""The real Ray on this machine: the files of the local engine, a kill on the way, nothing left over."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import ENVIRONMENT, Cli, write_project
from tests.toys import World
from tests.unit.pipeline.engines.test_ray import REAL, same, texts
from zhiling.pipeline.engines import local

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason='needs pip install "zhiling[ray]"'),
]


def test_files_are_those_of_the_local_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zhiling.pipeline.engines.ray import ray_engine

    monkeypatch.setattr(local, "BATCH_ROWS", 100)
    lines = texts(500)
    here, _ = World(tmp_path / "a").run(lines, REAL)
    with ray_engine(None, piece_rows=120) as engine:
        there, _ = World(tmp_path / "b").run(lines, REAL, engine=engine)
    assert here.totals()["failed"] == {"ValueError": 1}
    same(here.run, there.run)


def exported(root: Path) -> dict[str, bytes]:
    newest = sorted((root / "runs").glob("words-*"))[-1]
    return {path.name: path.read_bytes() for path in sorted((newest / "export").iterdir())}


def test_a_killed_run_goes_on_and_leaves_nothing(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 3000)
    process = subprocess.Popen(
        [sys.executable, "-m", "zhiling", "run", "--engine", "ray"], cwd=tmp_path, env=ENVIRONMENT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: '"step":"redact"' in told(tmp_path))
    process.kill()
    process.wait()
    result = cli("run", "--engine", "ray")
    assert result.returncode == 0, result.stderr
    by_ray = exported(tmp_path)
    assert cli("run", "--json").stdout.count('"event": "done"') == 0  # unchanged: the engine is in no key
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    write_project(fresh, 3000)
    assert cli("run", cwd=fresh).returncode == 0
    assert exported(fresh) == by_ray
    until(lambda: not left_over(process.pid))


def told(root: Path) -> str:
    return "".join(path.read_text("utf-8") for path in root.glob("runs/*/events.jsonl"))


def until(holds: object, seconds: float = 120.0) -> None:
    """Waits for it; a machine may be slow, so the limit is far."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def left_over(driver: int) -> list[str]:
    """Processes of the session that this driver started (Ray names it after the driver's number)."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if f"_{driver}/" in command and "session_" in command:
            found.append(command)
    return found
