"""All rows of models, or one: python -m benchmarks.models [ROW]

ROW is a number of the table in docs/benchmarks.md, with or without a letter; the environment variable ROW
says the same. Each runs as a process of its own; with a letter only that figure is recorded.
"""

from __future__ import annotations

import os
import string
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LETTERS = string.ascii_lowercase
SCRIPTS: dict[str, tuple[str, ...]] = {
    "9": ("tasks.py",),
    "1": ("conll.py",),
    "2": ("banking.py",),
    "3": ("few_labels.py", "setfit", "frozen", "banking77"),
    "4": ("few_labels.py", "clinc150"),
    "5": ("fine_tuning.py",),
    "6": ("predicting.py",),
    "7": ("chinese.py",),
    "8": ("transfer.py",),
    "10": ("equivalence.py",),
    "9e": ("matching.py",),
}
"""Row → script of this folder, with its options."""


def chosen(wanted: str) -> list[str]:
    """The rows whose scripts measure what is wanted: its own, else that of its number."""
    number = wanted.rstrip(LETTERS)
    return [
        each
        for each in SCRIPTS
        if wanted in ("", each, each.rstrip(LETTERS)) or (each == number and wanted not in SCRIPTS)
    ]


def main(wanted: str) -> None:
    """Runs the script of the wanted row, or all."""
    rows = chosen(wanted)
    if not rows:
        raise SystemExit(f"no row {wanted!r}; there are {', '.join(SCRIPTS)}")
    environment = os.environ | {"ROW": wanted}
    for script, *options in map(SCRIPTS.__getitem__, rows):
        subprocess.run([sys.executable, HERE / script, *options], check=True, env=environment)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROW", ""))
