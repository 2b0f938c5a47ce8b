"""Distilabel's pipeline of one task, in batches. Told: URL, requests, rows of a batch, and a folder."""

from __future__ import annotations

import json
import os
import sys
import time

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps.tasks import TextGeneration


def spent() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def main(url: str, count: int, parallel: int, folder: str) -> dict[str, float]:
    rows = [{"instruction": f"question {number}"} for number in range(count)]
    with Pipeline(name="bench", cache_dir=folder) as pipeline:
        llm = OpenAILLM(model="m", base_url=url, api_key="none", generation_kwargs={"max_new_tokens": 1024})
        TextGeneration(name="ask", llm=llm, input_batch_size=parallel)
    cpu, wall = spent(), time.monotonic()
    made = pipeline.run(dataset=rows, dataset_batch_size=parallel)
    replies = made["default"]["train"]["generation"]
    return {
        "cpu_s": spent() - cpu,
        "wall_s": time.monotonic() - wall,
        "replies": sum(reply is not None for reply in replies),
    }


if __name__ == "__main__":
    told = sys.argv[1:]
    print(json.dumps(main(told[0], int(told[1]), int(told[2]), told[3])))
