"""All rows of sources, or one: python -m benchmarks.sources [ROW]

ROW is 1 (reading large files), 2 (formats), 3 (templates), 4 (documents), with or without a letter; the
environment variable ROW says the same. Each row runs as a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = {"1": "reading.py", "2": "formats.py", "3": "templates.py", "4": "documents.py"}


def main(wanted: str) -> None:
    """Runs the scripts of the wanted row, or all that there are."""
    number = wanted.rstrip("abcdefghijklmnopqrstuvwxyz")
    present = {each: HERE / script for each, script in SCRIPTS.items() if (HERE / script).exists()}
    if number and number not in present:
        raise SystemExit(f"no row {wanted!r}; there are {', '.join(present)}")
    for each, script in present.items():
        if number in ("", each):
            subprocess.run([sys.executable, script], check=True, env=os.environ | {"ROW": wanted})


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROW", ""))
