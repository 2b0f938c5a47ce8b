"""Runs a job as a process of its own and says what it cost; makes the environments of peers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """What one run of a process took."""

    cpu_s: float
    wall_s: float
    rss_mb: float


def run(command: list[str]) -> Cost:
    """The cost of a command with all its threads; an error stops the benchmark.

    Call it from a small process: a new process counts the memory of its caller until its program starts.
    """
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / unit)


def peer_python(name: str) -> Path:
    """The interpreter of benchmarks/.venvs/NAME, made from benchmarks/peers/NAME.txt where it is missing."""
    home = ROOT / "benchmarks" / ".venvs" / name
    python = home / "bin" / "python"
    done = home / "installed.txt"
    needed = (ROOT / "benchmarks" / "peers" / f"{name}.txt").read_text(encoding="utf-8")
    if not done.exists() or done.read_text(encoding="utf-8") != needed:
        print(f"making {home.relative_to(ROOT)} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--requirement"]
        subprocess.run([*install, ROOT / "benchmarks" / "peers" / f"{name}.txt"], check=True)
        done.write_text(needed, encoding="utf-8")
    return python


def versions(python: Path, packages: list[str]) -> dict[str, str]:
    """The versions of packages in a peer's environment."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    told = subprocess.run([python, "-c", code, *packages], check=True, capture_output=True, text=True)
    return dict(zip(packages, told.stdout.split(), strict=True))
