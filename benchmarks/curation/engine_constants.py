"""What a million rows cost, stage by stage, on disk, on the wire and in the driver: for docs/capacity.md."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from record import row  # noqa: E402

SAMPLE_ROWS = 100_000


def constants(corpus: Path, costs: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows `curation.10.*`, without goals: they are what the capacity page reckons with.

    Args:
        corpus: the file that was read.
        costs: what `engine_job.py` told of runs under each engine.
    """
    run = Path(costs["local"][-1]["run"])
    parts = sorted(run.glob("00-rows/*/rows-*.parquet"))
    rows = pl.scan_parquet(parts).select(pl.len()).collect().item()
    gigabytes, millions = corpus.stat().st_size / 1e9, rows / 1e6

    def spent(how: str, field: str, stage: str) -> float:
        return statistics.median(cost[field][stage] for cost in costs[how])

    stages = [name for name in costs["local"][-1]["stage_cpu_s"] if name != "rows"]
    lines = [
        constant("read", "reading JSON lines", spent("local", "stage_cpu_s", "rows") / gigabytes, "CPU s/GB"),
        constant("rows", "rows in the corpus", rows / gigabytes / 1e6, "million rows/GB"),
    ]
    for stage in stages:
        here = spent("local", "stage_cpu_s", stage) / millions
        there = spent("ray", "stage_cpu_s", stage) / millions
        driver = spent("ray", "driver_cpu_s", stage) / millions
        beside = {"Ray": round(there, 2), "of it driver": round(driver, 2)}
        lines.append(constant(stage, f"step {stage}", here, "CPU s/million rows", beside))
    lines.append(
        constant("worker", "most memory of a worker", max(c["worker_mb"] for c in costs["ray"]), "MB")
    )
    lines += on_disk(run, rows)
    lines += shuffled(run)
    lines += in_one_pass(run)
    return lines


def constant(
    name: str, what: str, value: float, unit: str, beside: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A measured figure that has no goal."""
    made = row(f"curation.10.{name}", what, round(value, 3), 0, "lower", unit=unit, beside=beside or {})
    return made | {"goal": None, "met": None, "direction": None}


def on_disk(run: Path, rows: int) -> list[dict[str, Any]]:
    """Bytes a row of the run folder."""

    def size(pattern: str) -> int:
        return sum(path.stat().st_size for path in run.glob(pattern))

    steps = len(list(run.glob("[0-9]*"))) - 1
    return [
        constant("disk.rows", "rows on disk", size("00-rows/*/rows-*.parquet") / rows, "bytes/row"),
        constant("disk.ledger", "ledger and measures of one step on disk",
                 (size("*/*/ledger-*.parquet") + size("*/*/measures-*.parquet")) / rows / steps, "bytes/row"),
    ]  # fmt: skip


def shuffled(run: Path) -> list[dict[str, Any]]:
    """What a near-dedup writes between its tasks, and what the driver holds meanwhile."""
    from zhiling.curation.near_dedup import NearDedup
    from zhiling.pipeline.engines.shuffle import Linked, Shuffle, answer_of
    from zhiling.pipeline.store import RunFolder
    from zhiling.workflow.run import restore

    opened = RunFolder.open(run)
    before = [stage for stage in opened.manifest.stages if stage.id != "near_dedup"]
    table = restore(opened, before)
    numbers = table.kept()
    pieces = np.array_split(numbers, max(1, len(numbers) // 50_000))
    with tempfile.TemporaryDirectory() as folder:
        shuffle = Shuffle(NearDedup(), table.files(), Path(folder), len(pieces), 4)
        for number, piece in enumerate(pieces):
            shuffle.spread(number, piece)
        linked = Linked(len(table))
        for bucket in range(4):
            linked.add(*shuffle.meet(bucket))
        met, shard = linked.shards(100_000)
        shards, place = int(shard.max()) + 1, np.searchsorted(met, [piece[0] for piece in pieces])
        routes = zip(np.split(met, place[1:]), np.split(shard, place[1:]), strict=True)
        alone = [shuffle.route(number, *each, shards) for number, each in enumerate(routes)]
        answer = answer_of(alone + [shuffle.decide(each) for each in range(shards)], numbers.tolist())
        written = {
            kind: sum(path.stat().st_size for path in Path(folder).glob(f"{kind}-*")) / len(numbers)
            for kind in ("keys", "prepared", "routed")
        }
    largest = int(np.bincount(linked.labels).max())
    held = table.state.nbytes + table.material.nbytes + table.rounds.nbytes
    keys = pl.DataFrame(
        {"n": pl.Series(numbers, dtype=pl.UInt32), "id": table.read(["id"], numbers)["id"]}
    ).with_columns(key=pl.lit(0, pl.UInt64))
    return [
        constant("shuffle", "written between the tasks of a near-dedup", sum(written.values()), "bytes/row",
                 {f"{kind} bytes": round(value) for kind, value in written.items()}),
        constant("shuffle.met", "rows that share a key with another", len(met) / len(numbers), "share",
                 {"rows in the largest component": largest}),
        constant("driver.table", "held by the driver all along: states of the rows", held / len(table),
                 "bytes/row"),
        constant("driver.keys", "held by the driver in a step: numbers, ids and keys",
                 keys.estimated_size() / len(numbers), "bytes/row"),
        constant("driver.linked", "held by the driver in a near-dedup: components and verdicts",
                 (linked.labels.nbytes / len(table)) + answer.estimated_size() / len(numbers), "bytes/row"),
    ]  # fmt: skip


def in_one_pass(run: Path) -> list[dict[str, Any]]:
    """Export and encoder over the first rows of the run."""
    from zhiling.encoders.build import build_encoder
    from zhiling.pipeline.registry import load
    from zhiling.pipeline.store import RunFolder
    from zhiling.rows.conversation import all_text
    from zhiling.workflow.run import restore

    opened = RunFolder.open(run)
    table = restore(opened, opened.manifest.stages)
    numbers = table.exported()[:SAMPLE_ROWS]
    columns = ["id", "messages", "alternatives", "task", "target", "language", "tools", "origin", "extra"]
    export = load("format", "messages")()
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder, export.open(Path(folder) / "out.jsonl") as writer:
        for batch in table.batches(columns, numbers, 20_000):
            writer.write(batch.drop("n"))
    written = time.process_time() - started
    texts = all_text(table.read(["messages"], numbers)["messages"]).to_list()
    encoder = build_encoder({"use": "hashing"})
    started = time.process_time()
    encoder.encode(texts)
    encoded = time.process_time() - started
    each = 1e6 / len(numbers)
    return [
        constant("export", "export as messages", written * each, "CPU s/million rows"),
        constant("encoder", "hashing encoder", encoded * each, "CPU s/million rows"),
    ]
