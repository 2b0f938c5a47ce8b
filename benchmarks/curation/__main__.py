"""All rows of curation, or one: python -m benchmarks.curation [ROW]

ROW is 1 (near-duplicates of 130,000 rows), 2 (of 1,000,000), 3 (short Chinese texts), 4 (decontamination),
5 (pairings), 6 (label errors), 7 (selection; 7s: of 1,000,000 rows), 8 (personal data), 9 (injection) or 10
(engines), with or without a letter; the environment variable ROW says the same. By name: `heavy` (row 1
beside slow peers), `rules`, `standing`, `grounding`, `poisoning`, `quality` and `toxicity`. Each runs as a
process of its own, on corpora that are made once; with a letter only that figure is recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = {
    "1": ("near_dedup.py",),
    "2": ("near_dedup.py", "--large"),
    "heavy": ("near_dedup.py", "--heavy"),
    "3": ("near_dedup_chinese.py",),
    "4": ("decontaminate.py",),
    "5": ("pairs.py",),
    "6": ("labels.py",),
    "7": ("selection.py",),
    "7s": ("selection_large.py",),
    "8": ("privacy.py",),
    "9": ("injection.py",),
    "10": ("engine.py",),
    "rules": ("rules.py",),
    "edits": ("edits.py",),
    "standing": ("standing_index.py",),
    "grounding": ("grounding.py",),
    "poisoning": ("poisoning.py",),
    "quality": ("quality.py",),
    "toxicity": ("toxicity.py",),
}
SHARED_CORPUS = ("1", "2", "heavy", "4", "7s")


def main(wanted: str) -> None:
    """Runs the scripts of the wanted row, or all."""
    number = wanted if wanted in SCRIPTS else wanted.rstrip("abcdefghijklmnopqrstuvwxyz")
    if number and number not in SCRIPTS:
        raise SystemExit(f"no row {wanted!r}; there are {', '.join(SCRIPTS)}")
    environment = os.environ | {"ROW": wanted if wanted[:1].isdigit() else ""}
    with tempfile.TemporaryDirectory() as folder:
        for each, (script, *options) in SCRIPTS.items():
            if number in ("", each):
                corpus = ["--folder", folder] if each in SHARED_CORPUS else []
                subprocess.run(
                    [sys.executable, HERE / script, *options, *corpus], check=True, env=environment
                )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ROW", ""))
