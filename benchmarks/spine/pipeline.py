"""spine.1: 130,000 rows from file to export, beside Hugging Face datasets with datasketch.

    python benchmarks/spine/pipeline.py [--rows 130000] [--runs 3] [--folder DIR]

Both sides read the same JSON lines and go through length, language, exact and near dedup, redact, split and
export, as processes of their own, in turns. The first round runs everything; the others leave the language
detector out, which is the same on both sides and costs three times the rest.
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
sys.path[:0] = [str(HERE), str(HERE.parent)]

from measured import peer_python, run, versions  # noqa: E402
from record import record, row  # noqa: E402

SIDES = ("zhiling", "datasets")
GOALS = {"cpu": 5, "memory": 2}
# The peer's split without leaks is measured beside its own and counted in one row only.
APART = ("language", "safe split")

Costs = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Round:
    """What each stage cost on each side, and how many rows were left."""

    costs: dict[str, Costs]
    rows: dict[str, dict[str, int]]

    def cpu_s(self, side: str, *, safe: bool = False) -> float:
        """CPU seconds of all stages but the language detector; `safe`: with the split that does not leak."""
        costs = self.costs[side]
        total = sum(cost["cpu_s"] for stage, cost in costs.items() if stage not in APART)
        if safe and "safe split" in costs:
            total += costs["safe split"]["cpu_s"] - costs["split"]["cpu_s"]
        return total

    def peak_mb(self, side: str) -> float:
        """The most memory that a side held in any stage."""
        costs = self.costs[side]
        return max(cost["peak_mb"] for stage, cost in costs.items() if stage != "safe split")


def job(side: str, folder: Path, corpus: Path, without: str) -> list[str]:
    """The command of a side."""
    python = Path(sys.executable) if side == "zhiling" else peer_python("datasets")
    script = HERE / f"pipeline_{side}.py"
    return [*map(str, (python, script, corpus, folder / side, folder / f"{side}.json")), without]


def measured(corpus: Path, without: str) -> Round:
    """One round: each side once, in a new folder."""
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for side in SIDES:
            run(job(side, Path(temporary), corpus, without))
            told[side] = json.loads((Path(temporary) / f"{side}.json").read_text(encoding="utf-8"))
            print(f"{side}: {told[side]}", file=sys.stderr)
    return Round(*({side: told[side][name] for side in SIDES} for name in ("stages", "rows")))


def by_stage(rounds: list[Round], figure: str, unit: str) -> dict[str, float]:
    """The median of a figure for each side and stage, by a name such as `zhiling read CPU s`."""
    found: dict[str, float] = {}
    for side in SIDES:
        for stage in rounds[0].costs[side]:
            values = [each.costs[side][stage][figure] for each in rounds if stage in each.costs[side]]
            found[f"{side} {stage} {unit}"] = round(statistics.median(values), 2)
    return found


def ratio_row(
    id: str, what: str, goal: str, pairs: list[tuple[float, float]], **details: Any
) -> dict[str, Any]:
    """How many times less we need than the peer: median, least and most of the rounds."""
    ratios = [peer / ours for ours, peer in pairs]
    value, low, high = (round(figure, 2) for figure in (statistics.median(ratios), min(ratios), max(ratios)))
    shown = {"low": low, "high": high, "n": len(ratios), "unit": "times"} | details
    return row(id, what, value, GOALS[goal], "higher", **shown)


def lines(rounds: list[Round], data: str) -> list[dict[str, Any]]:
    """The rows of spine.1; the first round ran the language detector, the others did not."""
    full, bare = rounds[:1], rounds[1:] or rounds
    plain = [(each.cpu_s("zhiling"), each.cpu_s("datasets")) for each in rounds]
    safe = [(each.cpu_s("zhiling"), each.cpu_s("datasets", safe=True)) for each in rounds]
    totals = {
        f"{side} CPU s": round(statistics.median(each.cpu_s(side) for each in rounds), 2) for side in SIDES
    }
    kept = ", ".join(f"{side} {rounds[0].rows[side]}" for side in SIDES)
    note = (
        "all stages but the language detector; medians of rounds in turns. zhiling verifies each removal, "
        f"keeps a ledger of each row and splits without leaks; the peer does none of it. Rows: {kept}"
    )
    times = by_stage(rounds, "cpu_s", "CPU s") | by_stage(rounds, "wall_s", "wall s")
    return [
        ratio_row(
            "spine.1a", "the pipeline without language: CPU time, datasets over zhiling", "cpu", plain,
            beside=totals | times, data=data, note=note,
        ),
        ratio_row(
            "spine.1b", "the whole pipeline: peak memory, datasets over zhiling", "memory",
            [(each.peak_mb("zhiling"), each.peak_mb("datasets")) for each in full],
            beside=by_stage(full, "peak_mb", "MB"), data=data,
            note="resident memory with the language detector's models, on both sides; by stage",
        ),
        ratio_row(
            "spine.1c", "the pipeline without language: peak memory, datasets over zhiling", "memory",
            [(each.peak_mb("zhiling"), each.peak_mb("datasets")) for each in bare],
            beside=by_stage(bare, "peak_mb", "MB"), data=data,
            note="resident memory in rounds without the detector; by stage",
        ),
        ratio_row(
            "spine.1d", "the pipeline without language, no leaks on either side: CPU time, times",
            "cpu", safe, data=data,
            note="as 1a, but the peer too keeps near questions together: LSH at .5 over distinct questions",
        ),
    ]  # fmt: skip


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=130_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where the corpus stands or is made; a temporary one if none"
    )
    options = parser.parse_args()
    peer = versions(peer_python("datasets"), ["datasets", "datasketch", "lingua-language-detector"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / "large"
        corpus = folder / "corpus.jsonl"
        if not corpus.exists():
            run([sys.executable, str(HERE / "corpus.py"), str(folder), "--rows", str(options.rows)])
        rounds = [measured(corpus, "language" if number else "") for number in range(options.runs)]
        data = (
            f"{options.rows} rows, {corpus.stat().st_size / 1e6:.0f} MB, made by benchmarks/spine/corpus.py"
        )
    made = lines(rounds, data)
    path = record("spine", made, peer)
    for line in made:
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']})")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
