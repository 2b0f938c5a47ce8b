"""Rows of sources: 1 (large files), 2 (formats), 3 (templates), 4 (documents); see `benchmarks.rows`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import main

SCRIPTS: dict[str, tuple[str, ...]] = {
    "1": ("reading.py",),
    "2": ("formats.py",),
    "3": ("templates.py",),
    "4": ("documents.py",),
}

if __name__ == "__main__":
    main(Path(__file__).parent, SCRIPTS)
