"""curation.7s: 10,000 of 1,000,000 rows chosen by each method, in memory; what the sparse choice is worth.

    python benchmarks/curation/selection_large.py [--size 10000] [--methods coverage …]

Each method runs as a process of its own: it reads JSON lines, chooses by hashed n-grams of the whole text
(`encoder: {use: hashing}`), and writes which rows stay and for how many each stands. CPU seconds and memory
count all of that. Then 500 rows are chosen from 20,000 as the step does, with neighbours looked for in cells
and vectors projected, and by greedy facility location over all pairs and full vectors: `curation.7sq` is the
ratio of their values under all pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "spine"), str(HERE.parent)]

from measured import ROOT, run  # noqa: E402
from near_dedup import made  # noqa: E402
from record import record, row  # noqa: E402

from zhiling.curation.parts import part_text  # noqa: E402
from zhiling.curation.select import Select  # noqa: E402
from zhiling.encoders.hashing import HashingEncoder  # noqa: E402
from zhiling.pipeline.step import Context  # noqa: E402
from zhiling.rows.conversation import dialogue  # noqa: E402

METHODS: dict[str, dict[str, Any]] = {
    "coverage": {},
    "quality_coverage": {"quality": "judge.score", "balance": ["language"]},
    "k_centre": {},
    "tags": {},
    "targeted": {"targets": "targets.jsonl"},
}
TARGETS = 50
GOAL_MB, GOAL_CPU_S, GOAL_RATIO = 2048, 900, 0.97
EXACT, OF_EXACT = 20_000, 500
BLOCK_BYTES = 1 << 23
COLUMNS = ("instruction", "input", "output", "language")


def blocks(path: Path) -> Iterator[bytes]:
    """Whole lines of a file, about eight megabytes at a time."""
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block + file.readline()


def rows_of(corpus: Path) -> pl.DataFrame:
    """The rows of a corpus as the step reads them, with a score that stands for a judge's."""
    parts: list[pl.DataFrame] = []
    for block in blocks(corpus):
        read = pl.read_ndjson(BytesIO(block), schema=dict.fromkeys(COLUMNS, pl.String))
        question = read.select(pl.concat_str("instruction", "input", separator="\n"))["instruction"]
        messages = dialogue({"user": question, "assistant": read["output"]})
        parts.append(pl.DataFrame({"messages": messages, "language": read["language"]}))
    rows = pl.concat(parts)
    mixed = pl.int_range(rows.height, eager=True).hash(seed=1)
    ids = mixed.cast(pl.String).alias("id")
    return rows.with_columns(ids, (mixed.hash(seed=2) % 1000 / 1000).alias("judge.score"))


def side(method: str, size: int, corpus: Path, out: Path) -> None:
    """One method, from file to file."""
    rows = rows_of(corpus)
    context = Context("choose", root=corpus.parent, load_encoder=HashingEncoder)
    answer = Select(size=size, method=method, on="all", **METHODS[method]).decide(rows, context)
    answer.with_columns(rows["id"]).filter(pl.col("verdict") == "keep").write_parquet(out)


def scaled(method: str, corpus: Path, size: int, folder: Path) -> list[dict[str, Any]]:
    """Time and memory of a method."""
    out = folder / f"{method}.parquet"
    cost = run([sys.executable, __file__, "--side", method, "--size", str(size), str(corpus), str(out)])
    chosen = pl.read_parquet(out)
    if chosen["id"].n_unique() != size:
        raise SystemExit(f"{method} chose {chosen.height} rows, {size} were asked for")
    print(f"{method}: {cost}, represents {chosen['represents'].sum():.0f} rows", file=sys.stderr)
    data = f"{corpus.stat().st_size / 1e6:.0f} MB, made by benchmarks/spine/corpus.py; hashed n-grams"
    what = f"select {size} of 1,000,000 rows, method {method}"
    return [
        row(f"curation.7s.{method}", f"{what}: CPU time", round(cost.cpu_s), GOAL_CPU_S,
            "lower", n=1, unit="s", data=data),
        row(f"curation.7sm.{method}", f"{what}: peak memory", round(cost.rss_mb), GOAL_MB,
            "lower", n=1, unit="MB", data=data),
    ]  # fmt: skip


def write_targets(corpus: Path) -> None:
    """The first rows of the corpus, as what `targeted` looks for."""
    with corpus.open(encoding="utf-8") as lines:
        wanted = [json.loads(next(lines)) for _ in range(TARGETS)]
    told = [json.dumps({"text": each["output"], "task": each["language"]}) for each in wanted]
    (corpus.parent / "targets.jsonl").write_text("\n".join(told), encoding="utf-8")


def worth(corpus: Path) -> dict[str, Any]:
    """The value of the step's choice over that of greedy facility location on all pairs."""
    rows = rows_of(corpus)
    rows = rows.sort("id").unique("messages", keep="first", maintain_order=True).head(EXACT)
    context = Context("choose", load_encoder=HashingEncoder)
    answer = Select(size=OF_EXACT, on="all").decide(rows, context)
    vectors = HashingEncoder().encode(part_text(rows["messages"], "all").to_list())
    similar = np.maximum(vectors @ vectors.T, 0)
    values = {
        "the step": value(similar, np.flatnonzero(answer["verdict"] == "keep")),
        "greedy over all pairs": value(similar, greedy(similar, OF_EXACT)),
        "random": value(similar, np.arange(OF_EXACT)),
    }
    ratio = values["the step"] / values["greedy over all pairs"]
    what = f"select {OF_EXACT} of {EXACT} rows: value over exact greedy's"
    return row("curation.7sq", what, round(ratio, 4), GOAL_RATIO,
        "higher", n=1, unit="ratio", beside={k: round(v) for k, v in values.items()},
        data="rows with different texts of the same corpus")  # fmt: skip


def value(similar: np.ndarray, chosen: np.ndarray) -> float:
    """Sum over all rows of the similarity to the nearest chosen one."""
    return float(similar[chosen].max(axis=0).sum(dtype=np.float64))


def greedy(similar: np.ndarray, size: int) -> np.ndarray:
    """The rows that greedy facility location takes, by bounds that only shrink."""
    best = np.zeros(len(similar), dtype=np.float32)
    bounds = similar.sum(axis=1, dtype=np.float64)
    chosen: list[int] = []
    while len(chosen) < size:
        row = int(bounds.argmax())
        bounds[row] = np.maximum(similar[row] - best, 0).sum(dtype=np.float64)
        if bounds[row] >= bounds.max():
            chosen.append(row)
            best = np.maximum(best, similar[row])
            bounds[row] = -1
    return np.array(chosen)


def main() -> None:
    """Measure and record, or be one side."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the corpus stands; a temporary one if none")
    parser.add_argument("--side", choices=METHODS)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("files", type=Path, nargs="*")
    options = parser.parse_args()
    if options.side:
        side(options.side, options.size, *options.files)
        return
    if not (ROOT.parent / "shared" / "data").exists():
        raise SystemExit("../shared/data is not here: nothing can be measured")
    with tempfile.TemporaryDirectory() as temporary:
        corpus = made((options.folder or Path(temporary)) / "million", options.rows, seed=9)
        write_targets(corpus)
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads that wait for others would be counted as work
        record("curation", [worth(corpus)])
        for method in options.methods:  # each figure as it comes
            record("curation", scaled(method, corpus, options.size, Path(temporary)))


if __name__ == "__main__":
    main()
