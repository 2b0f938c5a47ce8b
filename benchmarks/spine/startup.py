"""spine.3: how long a new process needs for `import zhiling` and for `zhiling --version`.

python benchmarks/spine/startup.py [--runs 11]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from measured import run  # noqa: E402
from record import record, row  # noqa: E402

JOBS = {
    "3a": ("import zhiling", 0.3, [sys.executable, "-c", "import zhiling"]),
    "3b": ("zhiling --version", 0.5, [str(Path(sys.executable).with_name("zhiling")), "--version"]),
}


def line(letter: str, runs: int) -> dict[str, Any]:
    """Wall seconds of a command from start to end, the interpreter's own start included."""
    what, goal, command = JOBS[letter]
    run(command)  # so that its files have been read from the disk once
    costs = [run(command) for _ in range(runs)]
    seconds = [cost.wall_s for cost in costs]
    value, low, high = (
        round(figure, 3) for figure in (statistics.median(seconds), min(seconds), max(seconds))
    )
    shown = {"low": low, "high": high, "n": runs, "unit": "s"}
    beside = {"CPU s": round(statistics.median(cost.cpu_s for cost in costs), 3)}
    note = "median of wall seconds of a process, warm disk; low and high are the extremes"
    return row(
        f"spine.{letter}", f"{what}: start to end", value, goal, "lower", beside=beside, note=note, **shown
    )


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11)
    options = parser.parse_args()
    made = [line(letter, options.runs) for letter in JOBS]
    path = record("spine", made)
    for each in made:
        shown = f"{each['value']} s, {each['low']} to {each['high']} (goal {each['goal']})"
        print(f"{each['id']}  {each['what']}: {shown}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
