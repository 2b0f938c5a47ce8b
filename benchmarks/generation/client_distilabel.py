"""Distilabel's pipeline of one task, in batches. Told: URL, requests, rows of a batch, and a folder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps.tasks import TextGeneration


def spent() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def replies(folder: str) -> int:
    """How many rows of the batches that were written have a reply; each file is read alone."""
    files = Path(folder).rglob("steps_outputs/ask/*.parquet")
    columns = [pq.read_table(file, columns=["generation"])[0] for file in files]
    return sum(len(column) - column.null_count for column in columns)


def main(url: str, count: int, parallel: int, folder: str) -> dict[str, float]:
    rows = [{"instruction": f"question {number}"} for number in range(count)]
    with Pipeline(name="bench", cache_dir=folder) as pipeline:
        llm = OpenAILLM(model="m", base_url=url, api_key="none", generation_kwargs={"max_new_tokens": 1024})
        TextGeneration(name="ask", llm=llm, input_batch_size=parallel)
    cpu, wall = spent(), time.monotonic()
    with contextlib.suppress(pa.ArrowException):  # a batch without replies may break its reading
        pipeline.run(dataset=rows, dataset_batch_size=parallel)
    return {
        "cpu_s": spent() - cpu,
        "wall_s": time.monotonic() - wall,
        "replies": replies(folder),
    }


if __name__ == "__main__":
    told = sys.argv[1:]
    print(json.dumps(main(told[0], int(told[1]), int(told[2]), told[3])))
