"""Rows of adversarial construction, by their numbers in docs/benchmarks.md; see `benchmarks.rows`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import main

SCRIPTS: dict[str, tuple[str, ...]] = {
    "1": ("few_shot.py",),
    "1m": ("feature.py",),
    "1q": ("transformer.py",),
    "2": ("noisy.py",),
    "3": ("pairings.py", "rasbt_instructions", "oasst_zh", "alpagasus_dolly_3k", "alpaca_zh_10k"),
    "4": ("collapse.py",),
    "5": ("language_model.py",),
    "6": ("probes.py",),
    "6w": ("code_probes.py",),
    "7": ("pairings.py", "edits", "support"),
    "8": ("cost.py",),
}

if __name__ == "__main__":
    main(Path(__file__).parent, SCRIPTS)
