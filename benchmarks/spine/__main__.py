"""Rows of spine: 1 (the pipeline), 2 (near-duplicates), 3 (start); see `benchmarks.rows`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import CORPUS, main

SCRIPTS: dict[str, tuple[str, ...]] = {
    "1": ("pipeline.py", "--folder", CORPUS),
    "2": ("near_dedup.py", "--folder", CORPUS),
    "3": ("startup.py",),
}

if __name__ == "__main__":
    main(Path(__file__).parent, SCRIPTS)
