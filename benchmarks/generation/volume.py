"""generation.14: a million rows through a prompt, the store and the ledger: memory and CPU of the run.

    python benchmarks/generation/volume.py [ROWS]

A run of the recipe in a process of its own judges a million short replies. The server, in another process,
answers at once; its CPU does not count.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

ROWS = 1_000_000
VERDICT = json.dumps({"reason": "It says what was asked.", "score": 4, "sure": True})


def judged(root: Path) -> dict[str, float]:
    """Runs the recipe in this process; peak memory in GB, CPU seconds, rows that were judged."""
    from zhiling.workflow.recipe import Recipe

    asked = [0.0]

    def listen(event: Mapping[str, Any]) -> None:
        if event.get("event") == "done" and event.get("step") == "judge":
            asked.append(peak_gb())

    began = time.process_time()
    run = Recipe.load(root / "recipe.yaml").run(until="rows", listen=listen)
    cpu = time.process_time() - began
    table = run.table()
    return {
        "gb": peak_gb(),
        "asking_gb": max(asked),
        "cpu_s": cpu,
        "judged": table.read(["judge.score"], table.kept())["judge.score"].count(),
    }


def peak_gb() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def serve() -> None:
    """A server that always says the same; its address is the first line."""
    import asyncio

    from zhiling.llm.fake_server import Behaviour, serve

    def answer(_: Mapping[str, Any]) -> str:
        return VERDICT

    asyncio.run(serve(Behaviour(answer=answer), 0))


def main(count: int) -> None:
    """Writes the project, runs it, records what it took."""
    server = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        with tempfile.TemporaryDirectory() as folder:
            url = server.stdout.readline().strip()
            write(Path(folder), url, count)
            command = [sys.executable, __file__, "run", folder]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            stored = (Path(folder) / "zhiling.sqlite").stat().st_size / 2**30
    finally:
        server.terminate()
        server.wait()
    if told["judged"] != count:
        raise SystemExit(f"{told['judged']:,} of {count:,} rows were judged")
    beside = {
        "whole run with its split, GB": round(told["gb"], 3), "CPU s": round(told["cpu_s"]),
        "GB of store": round(stored, 2),
    }  # fmt: skip
    rows = [
        row(
            "generation.14", f"peak memory until {count:,} rows are judged", round(told["asking_gb"], 3), 1.0,
            "lower", n=count, unit="GB", beside=beside, data="questions and replies of the script",
        )
    ]  # fmt: skip
    print(record("generation", rows), file=sys.stderr)


def write(root: Path, url: str, count: int) -> None:
    """Rows and recipe."""
    with (root / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            turns = [
                {"role": "user", "content": f"Question {number}: what is {number} plus one?"},
                {"role": "assistant", "content": f"{number} plus one is {number + 1}."},
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    recipe = {
        "name": "volume",
        "models": {"judge": {"endpoint": url, "model": "m", "price": {"in": 1, "out": 2}}},
        "budget": {"usd": 1e6},
        "sources": [{"id": "rows", "use": "instructions", "path": "rows.jsonl"}],
        "steps": [{"id": "judge", "use": "judge"}],
    }
    (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["run", folder]:
            print(json.dumps(judged(Path(folder))))
        case told:
            main(int(told[0]) if told else ROWS)
