"""What the disk and the user can do to a run: full, read-only, cut off, interrupted. Nothing is damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import ENVIRONMENT, Cli, write_project
from tests.small_disk import small_disk

ROWS = 1500


def exported(root: Path) -> dict[str, bytes]:
    newest = sorted((root / "runs").glob("words-*"))[-1]
    return {path.name: path.read_bytes() for path in sorted((newest / "export").iterdir())}


def healthy(cli: Cli, root: Path) -> bool:
    result = cli("doctor", cwd=root)
    assert result.returncode == 0, result.stdout + result.stderr
    return True


def told(result: subprocess.CompletedProcess[str], words: str, code: int) -> None:
    """The error is the user's to understand: these words, this exit code, no traceback, no talk of bugs."""
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "bug in zhiling" not in result.stderr


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run, up to its exports, nothing disturbed."""
    root = tmp_path_factory.mktemp("whole")
    write_project(root, ROWS)
    command = [sys.executable, "-m", "zhiling", "run", "--until", "export"]
    subprocess.run(command, cwd=root, env=ENVIRONMENT, check=True, capture_output=True)
    return root


@pytest.fixture(scope="module")
def whole(undisturbed: Path) -> dict[str, bytes]:
    """Its exports."""
    return exported(undisturbed)


@pytest.fixture(scope="module")
def used(undisturbed: Path) -> int:
    """The bytes of all that it wrote."""
    files = [*(undisturbed / "runs").rglob("*"), *undisturbed.glob("zhiling.sqlite*")]
    return sum(path.stat().st_size for path in files if path.is_file())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB of its own."""
    with small_disk(tmp_path / "disk", "8m") as folder:
        yield folder


def leave(disk: Path, free: int) -> Path:
    """Fills the disk but for `free` bytes."""
    ballast = disk / "ballast"
    state = os.statvfs(disk)
    ballast.write_bytes(b"\0" * (state.f_bavail * state.f_frsize - free))
    return ballast


# Of what the run writes, up to its exports: each share stops it at another place.
@pytest.mark.parametrize("share", [0, 0.05, 0.3, 0.6, 0.9])
def test_a_full_disk_stops_the_run_and_damages_nothing(
    share: float, disk: Path, whole: dict[str, bytes], used: int, cli: Cli
) -> None:
    write_project(disk, ROWS)
    ballast = leave(disk, int(share * used))
    stopped = cli("run", "--until", "export", cwd=disk)
    told(stopped, "the disk is full", 1)
    assert "make room" in stopped.stderr
    assert [path.name for path in disk.rglob("*.tmp")] == []
    exports = list(disk.glob("runs/*/export/*"))
    assert all(whole[path.name] == path.read_bytes() for path in exports), "an export is whole or not there"
    ballast.unlink()
    again = cli("run", cwd=disk)
    assert again.returncode == 0, again.stderr
    assert exported(disk) == whole
    assert len(list(disk.glob("runs/words-*"))) == 1
    assert healthy(cli, disk)


@pytest.mark.parametrize("limit", [2_000, 60_000, 200_000])
def test_a_limit_on_file_sizes_stops_the_run_likewise(
    limit: int, tmp_path: Path, whole: dict[str, bytes], cli: Cli
) -> None:
    pytest.importorskip("resource", reason="this system limits no file sizes")
    write_project(tmp_path, ROWS)
    program = (
        f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); "
        "sys.argv = ['zhiling', 'run']; runpy.run_module('zhiling', run_name='__main__')"
    )
    stopped = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=ENVIRONMENT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told(stopped, "grows beyond the size that is allowed", 1)
    assert cli("run").returncode == 0
    assert exported(tmp_path) == whole
    assert healthy(cli, tmp_path)


def test_a_read_only_disk_is_told(disk: Path, cli: Cli) -> None:
    write_project(disk, 50)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    told(cli("run", cwd=disk), "the disk is read-only", 1)
    assert cli("check", cwd=disk).returncode == 0, "looking needs no room"
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert list(disk.glob("runs/*")) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 50)
    tmp_path.chmod(0o555)
    try:
        told(cli("run"), "no permission to write here", 1)
    finally:
        tmp_path.chmod(0o755)


def part(root: Path, kind: str, step: str) -> Path:
    """A finished file of the newest run."""
    newest = sorted((root / "runs").glob("words-*"))[-1]
    return next(newest.glob(f"*-{step}/*/{kind}-00000.parquet"))


@pytest.mark.parametrize(("kind", "step"), [("rows", "words"), ("ledger", "near"), ("rows", "redact")])
def test_a_part_that_was_cut_off_is_found_and_made_again(
    kind: str, step: str, tmp_path: Path, cli: Cli
) -> None:
    write_project(tmp_path, 300)
    assert cli("run").returncode == 0
    before = exported(tmp_path)
    file = part(tmp_path, kind, step)
    file.write_bytes(file.read_bytes()[:-100])
    told(cli("rows"), "cannot be read", 3)
    assert file.name in cli("rows").stderr
    doctor = cli("doctor")
    assert doctor.returncode == 1
    assert "damaged" in doctor.stdout
    new = cli("run", "--new")
    assert new.returncode == 0, new.stderr
    assert exported(tmp_path) == before
    assert healthy(cli, tmp_path)


def test_a_left_run_that_lost_a_part_computes_it_again(
    tmp_path: Path, whole: dict[str, bytes], cli: Cli
) -> None:
    write_project(tmp_path, ROWS)
    assert cli("run", "--until", "rows").returncode == 0
    manifest = part(tmp_path, "rows", "words").parents[2] / "manifest.json"
    state = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**state, "state": "running"}), encoding="utf-8")  # as kill -9 leaves it
    file = part(tmp_path, "ledger", "exact")
    file.write_bytes(file.read_bytes()[:40])
    assert cli("run").returncode == 0
    assert exported(tmp_path) == whole
    assert len(list((tmp_path / "runs").glob("words-*"))) == 1
    assert healthy(cli, tmp_path)


def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path, cli: Cli) -> None:
    write_project(tmp_path, 50)
    assert cli("run").returncode == 0
    manifest = next((tmp_path / "runs").glob("*/manifest.json"))
    content = manifest.read_bytes()
    manifest.write_bytes(content[: len(content) // 2])
    told(cli("rows"), "not a manifest", 3)
    manifest.write_bytes(content.replace(b'"format": 1', b'"format": 99'))
    told(cli("rows"), "run format 99; this zhiling reads format 1", 3)
    assert cli("run").returncode == 0, "a new run does not need the old one"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
# Each moment is a file that the run has just finished; what follows it is mostly Polars' work.
@pytest.mark.parametrize(
    "file", ["*-words/*/rows-*", "*-redact/*/ledger-*", "*-length/*/ledger-*", "*-exact/*/ledger-*"]
)
def test_ctrl_c_pauses_the_run(file: str, tmp_path: Path, whole: dict[str, bytes], cli: Cli) -> None:
    write_project(tmp_path, ROWS)
    process = subprocess.Popen(
        [sys.executable, "-m", "zhiling", "run"], cwd=tmp_path, env=ENVIRONMENT,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(f"runs/*/{file}.parquet")) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    status = json.loads(cli("status", "--json").stdout.splitlines()[0])
    assert status["state"] == "paused"
    assert cli("run").returncode == 0
    assert exported(tmp_path) == whole
    assert len(list((tmp_path / "runs").glob("words-*"))) == 1
    assert healthy(cli, tmp_path)


def test_minutes_that_are_used_up_pause_the_run(tmp_path: Path, whole: dict[str, bytes], cli: Cli) -> None:
    write_project(tmp_path, ROWS)
    recipe = tmp_path / "recipe.yaml"
    plain = recipe.read_text(encoding="utf-8")
    recipe.write_text(plain + "budget: {minutes: 0.00001}\n", encoding="utf-8")
    stopped = cli("run", "--json")
    told(stopped, "minutes are over", 4)
    summary = json.loads(stopped.stdout.splitlines()[-1])
    assert (summary["event"], summary["exit"]) == ("summary", 4)
    assert list(tmp_path.glob("runs/*/export/*")) == []
    recipe.write_text(plain, encoding="utf-8")
    again = cli("run")
    assert again.returncode == 0, again.stderr
    assert exported(tmp_path) == whole
    assert len(list((tmp_path / "runs").glob("words-*"))) == 1, "the budget is no part of what a run is"
    assert healthy(cli, tmp_path)
