"""Rows of models, by their numbers in docs/benchmarks.md; see `benchmarks.rows`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import main

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

if __name__ == "__main__":
    main(Path(__file__).parent, SCRIPTS)
