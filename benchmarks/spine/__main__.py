"""All rows of spine, or one: python -m benchmarks.spine [ROW]

ROW is 1 (the pipeline), 2 (near-duplicates) or 3 (start), with or without a letter; the environment variable
ROW says the same. Each row runs as a process of its own, on one corpus that is made once; with a letter only
that figure is recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = {"1": "pipeline.py", "2": "near_dedup.py", "3": "startup.py"}


def main(wanted: str) -> None:
    """Runs the scripts of the wanted row, or all."""
    number = wanted.rstrip("abcdefghijklmnopqrstuvwxyz")
    if number and number not in SCRIPTS:
        raise SystemExit(f"no row {wanted!r}; there are {', '.join(SCRIPTS)}")
    environment = os.environ | {"ROW": wanted}
    with tempfile.TemporaryDirectory() as folder:
        for each, script in SCRIPTS.items():
            if number in ("", each):
                corpus = ["--folder", folder] if each != "3" else []
                subprocess.run([sys.executable, HERE / script, *corpus], check=True, env=environment)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROW", ""))
