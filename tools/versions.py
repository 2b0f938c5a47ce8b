"""Runs the core's tests on the other supported Pythons that are installed here.

Each Python gets its own environment, `.venv-3.12` and so on, with the core, the extras that sources and
curation need, and pytest in the versions of constraints.txt; torch is not among them. A Python that is not
here, or that a version manager lists but cannot start, is named and passed over.

    python tools/versions.py            # 3.12 and 3.13
    python tools/versions.py 3.14
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.12", "3.13")
ROOMS = ("text", "rows", "pipeline", "sources", "curation")
FOLDERS = (*(f"tests/unit/{room}" for room in ROOMS), "tests/property")
EXTRAS = "curation,documents,images"
TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "hatchling", "editables")


def main(versions: list[str]) -> int:
    """Exit code 0 where every Python that runs here passes."""
    failed = False
    for version in versions or VERSIONS:
        python = interpreter(version)
        if python is None:
            print(f"python{version}: not installed here, its tests are skipped")
            continue
        failed |= not passes(version, python)
    return int(failed)


def interpreter(version: str) -> str | None:
    """A `pythonX.Y` that starts: from PATH, or from a version manager's own folder."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(name), *map(str, sorted(pyenv.glob(f"versions/{version}*/bin/{name}")))]
    return next((path for path in candidates if path and _starts(path, version)), None)


def passes(version: str, python: str) -> bool:
    """Whether the core's tests pass with this Python."""
    environment = ROOT / f".venv-{version}"
    print(f"python{version}: {python}", flush=True)
    if not install(environment, python):
        return False
    folders = [name for name in FOLDERS if (ROOT / name).is_dir()]
    command = [
        str(environment / "bin/python"),
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "-m",
        "not slow and not real",
    ]
    return subprocess.run([*command, *folders], cwd=ROOT, check=False).returncode == 0


def install(environment: Path, python: str) -> bool:
    """Makes the environment, unless it was made from the same pyproject.toml and constraints.txt."""
    stamp = environment / ".made"
    inputs = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    if stamp.exists() and all(stamp.stat().st_mtime >= path.stat().st_mtime for path in inputs):
        return True
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "-c", "constraints.txt"]
    commands = [
        [python, "-m", "venv", "--clear", str(environment)],
        [*pip, "--disable-pip-version-check", *TOOLS],
        [*pip, "--disable-pip-version-check", "--no-build-isolation", "-e", f".[{EXTRAS}]"],
    ]
    if any(subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands):
        return False
    stamp.touch()
    return True


def _starts(python: str, version: str) -> bool:
    question = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
