"""curation.10: the Ray engine beside the local one, and beside Ray Data for one cheap step.

    python benchmarks/curation/engine.py [--rows 1000000] [--runs 3] [--folder DIR]

The same recipe runs under both engines on the same corpus, in turns. Before the clock starts each engine has
taken the same steps over the first rows, so starting up is not counted; the CPU seconds of all workers, and
of Ray's own processes, are. Every file of the two runs is compared. What the stages cost, how much a
near-dedup shuffles and what the driver holds are recorded beside, as the constants of docs/capacity.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spine"), str(HERE.parent)]

from engine_constants import constants  # noqa: E402
from measured import peer_python, versions  # noqa: E402
from near_dedup import made  # noqa: E402
from record import record, row  # noqa: E402

CHEAP = "length"


def job(
    how: str, corpus: Path, python: Path | str = sys.executable, steps: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What `engine_job.py` measured."""
    out = corpus.parent / f"{how}.json"
    command = [str(python), str(HERE / "engine_job.py"), how, str(corpus.parent), str(out), *steps]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    told = json.loads(out.read_text(encoding="utf-8"))
    print(how, steps, {name: told[name] for name in ("cpu_s", "wall_s")}, file=sys.stderr)
    return told


def differing(first: Path, second: Path) -> tuple[int, int]:
    """How many files of two runs differ or stand in one alone, of how many; the counts are one more."""
    names = [{path.relative_to(run).as_posix() for path in run.rglob("*.parquet")} for run in (first, second)]
    wrong = len(names[0] ^ names[1])
    wrong += sum(
        not pl.read_parquet(first / name).equals(pl.read_parquet(second / name))
        for name in names[0] & names[1]
    )
    wrong += books(first) != books(second)
    return wrong, len(names[0] | names[1]) + 1


def books(run: Path) -> list[dict[str, Any]]:
    """The manifest's stages: keys, parts, counts."""
    stages = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return [{name: value for name, value in stage.items() if name != "seconds"} for stage in stages]


def compared(corpus: Path, runs: int) -> list[dict[str, Any]]:
    """Both engines in turns, then Ray Data with one step."""
    costs: dict[str, list[dict[str, Any]]] = {"local": [], "ray": []}
    for _ in range(runs):
        for how, told in costs.items():
            told.append(job(how, corpus))
        wrong, files = differing(*(Path(costs[how][-1]["run"]) for how in costs))
    ratios = [ray["cpu_s"] / local["cpu_s"] for local, ray in zip(*costs.values(), strict=True)]
    beside = {
        f"{how} {name}": round(statistics.median(cost[field] for cost in costs[how]), 2)
        for how in costs
        for name, field in (("CPU s", "cpu_s"), ("wall s", "wall_s"), ("driver MB", "driver_mb"))
    }
    note = "median of runs in turns; low and high are the extremes; without start-up, all processes counted"
    lines = [
        row("curation.10a", "Ray engine over local engine, CPU time, 2 CPUs", ratio(ratios), 1.5, "lower",
            low=round(min(ratios), 2), high=round(max(ratios), 2), n=runs, unit="times", beside=beside,
            note=note),
        row("curation.10b", "files (rows, ledger, measures) and manifests that differ between engines",
            wrong, 0, "lower", n=files, unit="files"),
    ]  # fmt: skip
    lines += constants(corpus, costs)
    python = peer_python("ray_data")
    cheap = {how: job(how, corpus, steps=(CHEAP,)) for how in ("local", "ray")}
    cheap["ray_data"] = job("ray_data", corpus, python, (CHEAP,))
    step = {how: cost.get("stage_cpu_s", {}).get(CHEAP, cost["cpu_s"]) for how, cost in cheap.items()}
    lines.append(
        row("curation.10c", f"one cheap step ({CHEAP}), CPU time: Ray Data map_batches over the Ray engine",
            round(step["ray_data"] / step["ray"], 2), 1, "higher", n=1, unit="times",
            beside={f"{how} CPU s": round(value, 2) for how, value in step.items()},
            note="reading the rows and judging them; the engine also writes the ledger")
    )  # fmt: skip
    return lines


def ratio(ratios: list[float]) -> float:
    """The median, as it is recorded."""
    return round(statistics.median(ratios), 2)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where corpora stand; a temporary one if none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        corpus = made((options.folder or Path(temporary)) / f"engine{options.rows}", options.rows, seed=9)
        data = (
            f"{options.rows} rows, {corpus.stat().st_size / 1e6:.0f} MB, made by benchmarks/spine/corpus.py"
        )
        lines = [line | {"data": data} for line in compared(corpus, options.runs)]
    peers = versions(peer_python("ray_data"), ["ray", "pandas"])
    path = record("curation", lines, peers)
    for line in lines:
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']}) {line['beside']}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
