"""Near-duplicates with datatrove's four MinHash stages: words by spaCy, 16 buckets of 8 hashes.

    python near_dedup_datatrove.py CORPUS OUT PAIRS.npy

Nothing is verified; of a cluster one row stays.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

CONFIG = MinhashConfig(n_grams=5, num_buckets=16, hashes_per_bucket=8)
COLUMNS = ("instruction", "input", "output")


def document(_: object, row: dict[str, str], _path: str, number: int) -> dict[str, object]:
    """A row as datatrove reads it; its number is its id."""
    return {"text": "\n".join(row[name] for name in COLUMNS), "id": str(number), "metadata": row}


def documents(path: Path) -> Iterator[Document]:
    """The documents of a stage's output."""
    for file in sorted(path.glob("*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def main(corpus: str, out: str, pairs: str) -> None:
    """The whole job: read, sign, meet, cluster, write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = Path(corpus)
        reader = JsonlReader(str(source.parent), glob_pattern=source.name, adapter=document)
        stages = [
            ([reader, MinhashDedupSignature(f"{folder}/signatures", config=CONFIG)], 1),
            ([MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=CONFIG)], 16),
            ([MinhashDedupCluster(
                f"{folder}/buckets", f"{folder}/remove", config=CONFIG, save_cluster_id=True
            )], 1),
            ([
                reader,
                MinhashDedupFilter(
                    f"{folder}/remove", load_cluster_ids=True,
                    exclusion_writer=JsonlWriter(f"{folder}/removed", compression=None),
                ),
                JsonlWriter(f"{folder}/kept", compression=None),
            ], 1),
        ]  # fmt: skip
        for number, (steps, tasks) in enumerate(stages):
            LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=f"{folder}/logs{number}").run()
        heads: dict[int, int] = {}
        with Path(out).open("w", encoding="utf-8") as target:
            for row in documents(folder / "kept"):
                heads[row["metadata"].pop("minhash_cluster_id", -1)] = int(row["id"])
                target.write(json.dumps(row["metadata"], ensure_ascii=False) + "\n")
        told = [
            (heads[row["metadata"]["minhash_cluster_id"]], int(row["id"]))
            for row in documents(folder / "removed")
        ]
    np.save(pairs, np.array(told, dtype=np.int64).reshape(-1, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
