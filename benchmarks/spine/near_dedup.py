"""spine.2: near-duplicates of 130,000 rows, beside Hugging Face datasets with datasketch.

    python benchmarks/spine/near_dedup.py [--rows 130000] [--runs 3] [--folder DIR]

Both jobs read the same JSON lines and write pairs of rows, as processes of their own, in turns. They are
judged by a plain Python reference: recall over the planted pairs with exact Jaccard >= .8 and, on 10,000
rows, over all such pairs by brute force (a pair is found if its rows end up in one cluster); precision over
the pairs that are reported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from measured import Cost, peer_python, run, versions  # noqa: E402
from record import record, row  # noqa: E402
from reference import all_pairs, similarities, texts  # noqa: E402

from zhiling.text.union_find import components  # noqa: E402

THRESHOLD = 0.8
SIDES = ("zhiling", "datasketch", "exact")
LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True)
class Corpus:
    """Rows with their languages and the pairs that are to be found."""

    path: Path
    rows: list[str]
    languages: list[str]
    wanted: list[tuple[int, int]]


def made(folder: Path, rows: int, seed: int) -> Path:
    """The corpus of so many rows in the folder."""
    if not (folder / "corpus.jsonl").exists():
        run([sys.executable, str(HERE / "corpus.py"), str(folder), "--rows", str(rows), "--seed", str(seed)])
    return folder / "corpus.jsonl"


def planted(path: Path) -> Corpus:
    """A corpus with its planted pairs at or above the threshold."""
    rows, languages = texts(path)
    lines = (path.parent / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [(pair["left"], pair["right"]) for pair in map(json.loads, lines)]
    similar = similarities(rows, pairs)
    wanted = [pair for pair, similarity in zip(pairs, similar, strict=True) if similarity >= THRESHOLD]
    return Corpus(path, rows, languages, wanted)


def brute_force(path: Path) -> Corpus:
    """A corpus with all its pairs at or above the threshold."""
    rows, languages = texts(path)
    return Corpus(path, rows, languages, all_pairs(rows, THRESHOLD))


def job(side: str, corpus: Path, out: Path) -> list[str]:
    """The command of a side."""
    if side == "datasketch":
        return [str(peer_python("datasketch")), str(HERE / "near_dedup_datasketch.py"), str(corpus), str(out)]
    method = "exact" if side == "exact" else "minhash"
    return [sys.executable, str(HERE / "near_dedup_zhiling.py"), str(corpus), str(out), method]


def found(pairs: np.ndarray, corpus: Corpus) -> dict[str, list[bool]]:
    """For each language whether each wanted pair stands in one cluster."""
    labels = components(len(corpus.rows), pairs[:, 0], pairs[:, 1])
    hits: dict[str, list[bool]] = {language: [] for language in LANGUAGES}
    for left, right in corpus.wanted:
        hits[corpus.languages[left]].append(bool(labels[left] == labels[right]))
    return hits


def true(pairs: np.ndarray, corpus: Corpus) -> dict[str, list[bool]]:
    """For each language whether each reported pair reaches the threshold."""
    hits: dict[str, list[bool]] = {language: [] for language in LANGUAGES}
    listed = [(int(left), int(right)) for left, right in pairs]
    for (left, _), similarity in zip(listed, similarities(corpus.rows, listed), strict=True):
        hits[corpus.languages[left]].append(similarity >= THRESHOLD)
    return hits


def wilson(hits: list[bool]) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    n, share, z = len(hits), statistics.fmean(hits), 1.959964
    centre, spread = share + z * z / (2 * n), z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def share_rows(
    letters: str, what: str, goal: float, hits: dict[str, dict[str, list[bool]]], data: str
) -> list[dict[str, Any]]:
    """A row for each language: our share, with those of the others beside it."""
    made_rows: list[dict[str, Any]] = []
    for letter, (language, name) in zip(letters, LANGUAGES.items(), strict=True):
        ours = hits["zhiling"][language]
        low, high = wilson(ours)
        beside = {
            side: round(statistics.fmean(hits[side][language]), 5) for side in hits if side != "zhiling"
        }
        value = round(statistics.fmean(ours), 5)
        details = {
            "low": round(low, 5),
            "high": round(high, 5),
            "n": len(ours),
            "unit": "share",
            "data": data,
        }
        made_rows.append(
            row(f"spine.2{letter}", f"{what}, {name}", value, goal, "higher", beside=beside, **details)
        )
    return made_rows


def ratio_row(id: str, what: str, goal: float, costs: dict[str, list[float]], unit: str) -> dict[str, Any]:
    """How many times less we need than the peer: median, least and most of runs in turns."""
    ratios = [peer / ours for ours, peer in zip(costs["zhiling"], costs["datasketch"], strict=True)]
    beside = {f"{side} {unit}": round(statistics.median(values), 2) for side, values in costs.items()}
    note = (
        "median of runs in turns; low and high are the extremes; peer with 128 permutations in 16 bands of 8"
    )
    value, low, high = (round(figure, 2) for figure in (statistics.median(ratios), min(ratios), max(ratios)))
    return row(
        id,
        what,
        value,
        goal,
        "higher",
        low=low,
        high=high,
        n=len(ratios),
        unit="times",
        beside=beside,
        note=note,
    )


def outputs(
    folder: Path, sides: Iterable[str], corpus: Path
) -> tuple[dict[str, np.ndarray], dict[str, Cost]]:
    """What each side reports of a corpus, and what it cost."""
    pairs: dict[str, np.ndarray] = {}
    costs: dict[str, Cost] = {}
    for side in sides:
        out = folder / f"{side}.npy"
        costs[side] = run(job(side, corpus, out))
        pairs[side] = np.load(out)
        print(f"{side}: {costs[side]}, {len(pairs[side])} pairs", file=sys.stderr)
    return pairs, costs


def measure(folder: Path, rows: int, runs: int) -> list[dict[str, Any]]:
    """All rows of spine.2."""
    large, small = made(folder / "large", rows, seed=7), made(folder / "small", 10_000, seed=8)
    told = [outputs(folder, SIDES, large) for _ in range(runs)]
    cpu = {side: [costs[side].cpu_s for _, costs in told] for side in SIDES}
    rss = {side: [costs[side].rss_mb for _, costs in told] for side in SIDES}
    corpus = planted(large)
    pairs = told[-1][0]
    data = f"{rows} rows, {large.stat().st_size / 1e6:.0f} MB, made by benchmarks/spine/corpus.py"
    lines = [
        ratio_row("spine.2a", "near-dedup: CPU time, datasketch over zhiling", 5, cpu, "CPU s"),
        ratio_row("spine.2b", "near-dedup: peak memory, datasketch over zhiling", 2, rss, "MB"),
    ]
    for line in lines:
        line["data"] = data
    recalls = {side: found(pairs[side], corpus) for side in SIDES}
    precisions = {side: true(pairs[side], corpus) for side in SIDES}
    lines += share_rows("cd", "recall, planted pairs with Jaccard >= .8", 0.99, recalls, data)
    lines += share_rows("gh", "precision of the pairs reported", 0.999, precisions, data)
    every, (few, _) = brute_force(small), outputs(folder, SIDES, small)
    recalls = {side: found(few[side], every) for side in SIDES}
    lines += share_rows("ef", "recall against brute force", 0.99, recalls, "10000 rows of the same kind")
    return lines


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=130_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where corpora stand or are made; a temporary folder if none"
    )
    options = parser.parse_args()
    peer = versions(peer_python("datasketch"), ["datasketch", "datasets"])
    with tempfile.TemporaryDirectory() as temporary:
        lines = measure(options.folder or Path(temporary), options.rows, options.runs)
    path = record("spine", lines, peer)
    for line in sorted(lines, key=lambda line: line["id"]):
        print(f"{line['id']}  {line['what']}: {line['value']} (goal {line['goal']}) {line['beside']}")
    print(f"-> {path}")


if __name__ == "__main__":
    main()
