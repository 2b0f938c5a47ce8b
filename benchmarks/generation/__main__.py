"""Rows of generation, by their numbers in docs/benchmarks.md; see `benchmarks.rows`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rows import main

SCRIPTS: dict[str, tuple[str, ...]] = {
    "1": ("client.py", "speed"),
    "2": ("client.py", "refusals"),
    "3": ("kill.py",),
    "4": ("failures.py",),
    "5": ("again.py",),
    "6": ("cap.py",),
    "7": ("estimates.py",),
    "8": ("threads.py",),
    "9": ("intents.py",),
    "10": ("templates.py",),
    "12": ("verifiers.py",),
    "11": ("built_rows.py",),
    "11c": ("spread.py",),
    "13": ("scripted.py",),
    "14": ("volume.py",),
}

if __name__ == "__main__":
    main(Path(__file__).parent, SCRIPTS)
