"""curation.1 and curation.2: near-duplicates of 130,000 and of 1,000,000 rows, JSON lines in, JSON lines out.

    python benchmarks/curation/near_dedup.py [--rows 130000] [--runs 3] [--folder DIR] [--large | --heavy]

Every side reads the same file, writes the rows that stay, and says which pairs made it drop the others.
Recall is over the planted pairs with an exact Jaccard similarity of .8 or more (both must stand in one
cluster); precision is the share of the pairs told that are really that similar. `--large` measures curation.2
with 1,000,000 rows beside rensa, Daft and DuckDB, as datasketch would need minutes. `--heavy` runs
text-dedup, data-juicer and datatrove once each (curation.1e); datatrove gets the first PART_ROWS rows only,
for its word tokeniser takes minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from sides import cost, share, times  # noqa: E402

sys.path.insert(0, str(HERE.parent / "spine"))
from measured import Cost, peer_python, run, versions  # noqa: E402
from record import record, row  # noqa: E402
from reference import similarities, texts  # noqa: E402

from zhiling.text.union_find import components  # noqa: E402

THRESHOLD = 0.8
PART_ROWS = 20_000
RAW = argparse.RawDescriptionHelpFormatter
SPINE = HERE.parent / "spine"


def made(folder: Path, rows: int, seed: int) -> Path:
    """The corpus of so many rows in the folder."""
    if not (folder / "corpus.jsonl").exists():
        run([sys.executable, str(SPINE / "corpus.py"), str(folder), "--rows", str(rows), "--seed", str(seed)])
    return folder / "corpus.jsonl"


def measured(corpus: Path, sides: tuple[str, ...], runs: int, folder: Path) -> dict[str, list[Cost]]:
    """The costs of all sides, in turns."""
    costs: dict[str, list[Cost]] = {side: [] for side in sides}
    for _ in range(runs):
        for side in sides:
            name = side.replace(" ", "_")
            costs[side].append(
                cost("near_dedup", side, corpus, folder / f"{name}.jsonl", folder / f"{name}.npy")
            )
    return costs


def judged(corpus: Path, sides: tuple[str, ...], folder: Path) -> dict[str, tuple[list[bool], list[bool]]]:
    """For each side: was each planted pair found, and is each removal right?"""
    rows, _ = texts(corpus)
    lines = (corpus.parent / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    planted = [(pair["left"], pair["right"]) for pair in map(json.loads, lines)]
    similar = similarities(rows, planted)
    wanted = [pair for pair, value in zip(planted, similar, strict=True) if value >= THRESHOLD]
    answers: dict[str, tuple[list[bool], list[bool]]] = {}
    for side in sides:
        pairs = np.load(folder / f"{side.replace(' ', '_')}.npy")
        labels = components(len(rows), pairs[:, 0], pairs[:, 1])
        found = [bool(labels[left] == labels[right]) for left, right in wanted]
        told = [(int(left), int(right)) for left, right in pairs]
        right = [value >= THRESHOLD - 1e-9 for value in similarities(rows, told)]
        answers[side] = found, right
    return answers


def small(rows: int, runs: int, folder: Path) -> list[dict[str, Any]]:
    """curation.1."""
    sides = ("zhiling fast", "zhiling core", "datasketch", "rensa", "daft", "duckdb")
    corpus = made(folder / "large", rows, seed=7)
    costs = measured(corpus, sides, runs, folder)
    answers = judged(corpus, sides, folder)
    what = f"near-dedup of {rows} rows, CPU time: datasketch over zhiling"
    lines = [
        times("curation.1a", f"{what} with `fast`", 13, costs, ("zhiling fast", "datasketch")),
        times("curation.1b", f"{what} without", 6, costs, ("zhiling core", "datasketch")),
    ]
    names = ("planted pairs of .8 or more found", "removed rows whose partner is that similar")
    for letter, name, goal, which in zip("cd", names, (0.99, 0.999), (0, 1), strict=True):
        beside = {side: round(statistics.fmean(answers[side][which]), 4) for side in sides[2:]}
        hits = answers["zhiling fast"][which]
        lines.append(share(f"curation.1{letter}", name, goal, hits, beside=beside))
    data = f"{rows} rows, {corpus.stat().st_size / 1e6:.0f} MB, made by benchmarks/spine/corpus.py"
    return [line | {"data": data} for line in lines]


def large(rows: int, runs: int, folder: Path) -> list[dict[str, Any]]:
    """curation.2."""
    sides = ("zhiling fast", "zhiling core", "rensa", "daft", "duckdb")
    corpus = made(folder / "million", rows, seed=9)
    costs = measured(corpus, sides, runs, folder)
    data = f"{rows} rows, {corpus.stat().st_size / 1e6:.0f} MB, made by benchmarks/spine/corpus.py"
    what = f"near-dedup of {rows} rows, CPU time: rensa over zhiling with `fast`"
    memory = max(each.rss_mb for each in costs["zhiling fast"])
    beside = {f"{side} MB": round(max(each.rss_mb for each in costs[side])) for side in sides[1:]}
    lines = [
        times("curation.2a", what, 6, costs, ("zhiling fast", "rensa")),
        row("curation.2b", f"near-dedup of {rows} rows, peak memory", round(memory), 1000, "lower",
            n=runs, unit="MB", beside=beside),
    ]  # fmt: skip
    return [line | {"data": data} for line in lines]


def heavy(rows: int, _: int, folder: Path) -> list[dict[str, Any]]:
    """curation.1e."""
    corpus = made(folder / "large", rows, seed=7)
    part = part_of(corpus, folder / "part")
    work = {"text_dedup": (corpus, rows), "data_juicer": (corpus, rows), "datatrove": (part, PART_ROWS)}
    ours = measured(corpus, ("zhiling fast",), 1, folder)["zhiling fast"][0].cpu_s / rows
    beside: dict[str, float] = {}
    ratios: list[float] = []
    for side, (file, number) in work.items():
        taken = measured(file, (side,), 1, folder)[side][0]
        found, right = (round(statistics.fmean(hits), 4) for hits in judged(file, (side,), folder)[side])
        told = {
            "CPU s": round(taken.cpu_s, 1),
            "MB": round(taken.rss_mb),
            "recall": found,
            "precision": right,
        }
        name = side if number == rows else f"{side} ({number} rows)"
        beside |= {f"{name} {what}": value for what, value in told.items()}
        ratios.append(taken.cpu_s / number / ours)
    what = (
        "near-dedup, CPU time a row: the least of text-dedup, data-juicer, datatrove over zhiling with `fast`"
    )
    note = "each once"
    line = row(
        "curation.1e", what, round(min(ratios), 1), 13, "higher", n=1, unit="times", beside=beside, note=note
    )
    return [line | {"data": f"{rows} rows, {corpus.stat().st_size / 1e6:.0f} MB"}]


def part_of(corpus: Path, folder: Path) -> Path:
    """The first PART_ROWS rows of a corpus, with the pairs planted among them."""
    folder.mkdir(exist_ok=True)
    with corpus.open(encoding="utf-8") as lines:
        (folder / "corpus.jsonl").write_text("".join(islice(lines, PART_ROWS)), encoding="utf-8")
    pairs = (corpus.parent / "pairs.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    inside = [line for line in pairs if max(json.loads(line)["left"], json.loads(line)["right"]) < PART_ROWS]
    (folder / "pairs.jsonl").write_text("".join(inside), encoding="utf-8")
    return folder / "corpus.jsonl"


QUICK = {"rensa": ["rensa"], "daft": ["daft"], "duckdb": ["duckdb"], "zhiling_fast": ["numba"]}
KINDS = {
    "small": (small, 130_000, QUICK | {"datasketch": ["datasketch", "datasets"]}),
    "large": (large, 1_000_000, QUICK),
    "heavy": (heavy, 130_000, {
        "text_dedup": ["text-dedup"], "data_juicer": ["py-data-juicer"], "datatrove": ["datatrove", "spacy"],
    }),
}  # fmt: skip
"""For each kind: what measures it, over how many rows, beside which packages of which environments."""


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int)
    parser.add_argument("--runs", type=int, default=3)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--large", action="store_true")
    which.add_argument("--heavy", action="store_true")
    parser.add_argument("--folder", type=Path, help="where corpora stand; a temporary one if none")
    options = parser.parse_args()
    kind = "heavy" if options.heavy else "large" if options.large else "small"
    measure, rows, packages = KINDS[kind]
    peers = {
        name: told
        for side, names in packages.items()
        for name, told in versions(peer_python(side), names).items()
    }
    with tempfile.TemporaryDirectory() as temporary:
        lines = measure(options.rows or rows, options.runs, options.folder or Path(temporary))
    path = record("curation", lines, peers)
    for line in lines:
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']}) {line['beside']}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
