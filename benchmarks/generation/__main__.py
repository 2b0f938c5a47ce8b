"""All rows of generation, or one: python -m benchmarks.generation [ROW]

ROW is a number of the table in docs/benchmarks.md, with or without a letter; the environment variable ROW
says the same. Each runs as a process of its own; with a letter only that figure is recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS: dict[str, tuple[str, ...]] = {
    "1": ("client.py", "speed"),
    "2": ("client.py", "refusals"),
    "3": ("kill.py",),
    "6": ("cap.py",),
    "8": ("threads.py",),
}
"""Row → script of this folder, with its options."""


def main(wanted: str) -> None:
    """Runs the script of the wanted row, or all."""
    number = wanted.rstrip("abcdefghijklmnopqrstuvwxyz")
    if number and number not in SCRIPTS:
        raise SystemExit(f"no row {wanted!r}; there are {', '.join(SCRIPTS)}")
    environment = os.environ | {"ROW": wanted}
    for each, (script, *options) in SCRIPTS.items():
        if number in ("", each):
            subprocess.run([sys.executable, HERE / script, *options], check=True, env=environment)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROW", ""))
