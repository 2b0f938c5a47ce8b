"""Curator's LLM with its display off and no limits a minute. Told: URL, requests, parallel, and a folder."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

PRICES = find_spec("litellm")
assert PRICES is not None
assert PRICES.origin is not None
TOKENS = Path(PRICES.origin).parent / "litellm_core_utils" / "tokenizers"
os.environ["TIKTOKEN_CACHE_DIR"] = str(TOKENS)  # curator counts by a file that it would fetch

from bespokelabs import curator  # noqa: E402


class Questions(curator.LLM):
    """Sends the row's text and keeps the reply's."""

    def prompt(self, input: dict[str, str]) -> str:  # noqa: A002, curator's name
        return input["text"]

    def parse(self, input: dict[str, str], response: str) -> dict[str, str]:  # noqa: A002, as well
        return {"reply": response}


def main(url: str, count: int, parallel: int, folder: str) -> dict[str, float]:
    limits = {"max_requests_per_minute": 10**6, "max_tokens_per_minute": 10**12}
    llm = Questions(
        model_name="m",
        backend="openai",
        generation_params={"max_tokens": 1024},
        backend_params={
            "base_url": url,
            "api_key": "none",
            "max_concurrent_requests": parallel,
            "require_all_responses": False,
            **limits,
        },
    )
    rows = [{"text": f"question {number}"} for number in range(count)]
    cpu, wall = time.process_time(), time.monotonic()
    made = llm(rows, working_dir=folder)
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.monotonic() - wall,
        "replies": len(made.dataset),
    }


if __name__ == "__main__":
    told = sys.argv[1:]
    print(json.dumps(main(told[0], int(told[1]), int(told[2]), told[3])))
