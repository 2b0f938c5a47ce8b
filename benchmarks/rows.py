"""`python -m benchmarks.TOPIC [ROW]`: the scripts of a topic, each as a process of its own.

ROW names a row of the topic's table in docs/benchmarks.md, with or without a letter; the environment variable
ROW says the same. With a letter only that figure is recorded.
"""

from __future__ import annotations

import os
import string
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

CORPUS = "{corpus}"
"""As an option of a script: a folder for what is made once and read by several scripts."""


def main(topic: Path, scripts: Mapping[str, tuple[str, ...]]) -> None:
    """Runs the scripts of the row that the command line or the environment names, or all.

    Args:
        topic: the folder with the scripts.
        scripts: row → its script and options.
    """
    wanted = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROW", "")
    rows = chosen(wanted, scripts)
    if not rows:
        raise SystemExit(f"no row {wanted!r}; there are {', '.join(scripts)}")
    environment = os.environ | {"ROW": wanted if wanted[:1].isdigit() else ""}
    with tempfile.TemporaryDirectory() as folder:
        for script, *options in map(scripts.__getitem__, rows):
            arguments = [folder if each == CORPUS else each for each in options]
            subprocess.run([sys.executable, topic / script, *arguments], check=True, env=environment)


def chosen(wanted: str, rows: Collection[str]) -> list[str]:
    """The rows whose scripts measure what is wanted: its own, else that of its number."""
    number = wanted.rstrip(string.ascii_lowercase)
    if wanted in rows and wanted != number:
        return [wanted]
    return [
        each for each in rows if not wanted or each == number or each.rstrip(string.ascii_lowercase) == wanted
    ]
