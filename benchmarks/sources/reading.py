"""sources.1: 1 GB of instruction rows as JSON Lines, CSV and Parquet, read beside plain Polars and datasets.

    python benchmarks/sources/reading.py [--megabytes 1000] [--runs 5] [--peer-runs 1] [--folder DIR]

The sides read the same file as processes of their own, in turns; files are warm in the page cache. A ratio is
that of two neighbouring runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "spine"), str(HERE.parent)]

from measured import peer_python, run, versions  # noqa: E402
from record import record, row  # noqa: E402

KINDS = {"a": ("JSON Lines", "rows.jsonl"), "b": ("CSV", "rows.csv"), "c": ("Parquet", "rows.parquet")}
GOAL = 0.8
NOTE = (
    "median, least and most of neighbouring runs. zhiling builds rows of "
    "the record (messages, other fields as JSON, locators) in batches that are dropped, and checks that "
    "nothing is lost; Polars holds all columns. Record by record in Python took three times the CPU. Tried "
    "besides: unescaping by Polars (slower), blocks of 1 or 4 MB (no clear difference), reading, parsing and "
    "building in three threads (taken: less wall time). Polars' parsers on blocks were not taken: they alone "
    "take the peer's time, and the proof that they change nothing comes on top"
)


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


Costs = dict[str, list[Cost]]


def measured(side: str, file: Path, rows: int) -> Cost:
    """One run of a side; it must find all rows."""
    python = peer_python("datasets") if side == "datasets" else Path(sys.executable)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        run([str(python), str(HERE / "reading_side.py"), side, str(file), out.name])
        told = json.loads(Path(out.name).read_text(encoding="utf-8"))
    if told["rows"]["read"] != rows:
        raise SystemExit(f"{side} read {told['rows']['read']} of {rows} rows in {file.name}")
    cost = told["stages"]["read"]
    print(f"{file.name} {side}: {cost}", file=sys.stderr)
    return Cost(cost["wall_s"], cost["cpu_s"], cost["peak_mb"])


def rounds(file: Path, rows: int, runs: int, peer_runs: int) -> Costs:
    """All runs with one file, in turns."""
    costs: Costs = {"zhiling": [], "polars": [], "datasets": []}
    for number in range(runs):
        for side in costs:
            if side != "datasets" or number < peer_runs:
                costs[side].append(measured(side, file, rows))
    return costs


def beside(costs: Costs, rows: int) -> dict[str, float]:
    """Medians of each side."""
    found: dict[str, float] = {}
    for side, runs in costs.items():
        if runs:
            wall = statistics.median(cost.wall_s for cost in runs)
            found[f"{side} rows/s"] = round(rows / wall)
            found[f"{side} wall s"] = round(wall, 2)
            found[f"{side} CPU s"] = round(statistics.median(cost.cpu_s for cost in runs), 2)
            found[f"{side} MB"] = round(statistics.median(cost.peak_mb for cost in runs))
    return found


def ratio(id: str, what: str, ratios: list[float], goal: float, **details: Any) -> dict[str, Any]:
    """A row: median, least and most of ratios."""
    value, low, high = (round(f, 2) for f in (statistics.median(ratios), min(ratios), max(ratios)))
    shown = {"low": low, "high": high, "n": len(ratios), "unit": "times"} | details
    return row(id, what, value, goal, "higher", **shown)


def lines(letter: str, costs: Costs, rows: int, data: str) -> list[dict[str, Any]]:
    """The rows of one format: by wall time, by CPU time, and memory."""
    name = KINDS[letter][0]
    pairs = list(zip(costs["zhiling"], costs["polars"], strict=True))
    cpu, memory = chr(ord(letter) + 3), chr(ord(letter) + 6)
    return [
        ratio(
            f"sources.1{letter}", f"{name}: rows per second, zhiling over plain Polars",
            [peer.wall_s / ours.wall_s for ours, peer in pairs], GOAL,
            beside=beside(costs, rows), data=data, note=NOTE,
        ),
        ratio(
            f"sources.1{cpu}", f"{name}: rows per CPU second, zhiling over plain Polars",
            [peer.cpu_s / ours.cpu_s for ours, peer in pairs], GOAL, data=data, note="the same runs",
        ),
        ratio(
            f"sources.1{memory}", f"{name}: peak memory, plain Polars over zhiling",
            [peer.peak_mb / ours.peak_mb for ours, peer in pairs], 1, data=data,
            note="resident memory of the process, imports included; the same runs",
        ),
    ]  # fmt: skip


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer-runs", type=int, default=1, help="of datasets, which takes a minute each")
    parser.add_argument("--folder", type=Path, help="where the files are made; a temporary one if none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        from reading_data import write

        rows = write(folder, options.megabytes * 1_000_000, seed=7)
        made: list[dict[str, Any]] = []
        for letter, (_, name) in KINDS.items():
            file = folder / name
            data = (
                f"{rows} rows, {file.stat().st_size / 1e6:.0f} MB, made by benchmarks/sources/reading_data.py"
            )
            made += lines(letter, rounds(file, rows, options.runs, options.peer_runs), rows, data)
    path = record("sources", made, versions(peer_python("datasets"), ["datasets"]))
    for line in made:
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']})")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
