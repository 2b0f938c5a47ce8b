"""generation.6: 200 runs with a cap of 1.00 USD; what does the server bill?

    python benchmarks/generation/cap.py

Prices, reply lengths, limits and numbers in parallel are drawn anew each time, and some answers are refused,
fail, or break off when they are already billed. Billed is what the server counted, at the role's prices.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from record import record, row  # noqa: E402

from zhiling.errors import BudgetReached  # noqa: E402
from zhiling.llm.engine import Engine  # noqa: E402
from zhiling.llm.fake_server import Behaviour, running  # noqa: E402
from zhiling.llm.limits import Limits  # noqa: E402
from zhiling.llm.role import Role  # noqa: E402
from zhiling.llm.verdict import Ask  # noqa: E402
from zhiling.llm.wire import ChatRequest, Sampling, user  # noqa: E402

TRIALS, CAP, ROWS = 200, 1.0, 100
FAULTS = {"rate_limit": 0.1, "server_error": 0.03, "cut": 0.03}


def trial(seed: int) -> tuple[float, bool]:
    """US dollars that the server billed, and whether the cap ended the run."""
    draw = random.Random(seed)
    longest = draw.choice([20, 100, 400])
    price = {"in": draw.choice([10, 100]), "out": round(draw.uniform(0.01, 0.1) / longest * 1e6)}

    def answer(body: dict[str, Any]) -> str:
        return "word " * draw.randrange(1, 2 * body["max_tokens"])

    behaviour = Behaviour(0.001, FAULTS, seed, retry_after_s=0.01, answer=answer)
    settings = {"model": "m", "price": price, "parallel": draw.choice([1, 8, 64]), "retries": 20}
    asks = [
        Ask(
            ChatRequest(
                user("word " * draw.randrange(1, 40) + str(n)),
                Sampling(max_tokens=draw.randrange(1, longest)),
            )
        )
        for n in range(ROWS)
    ]
    with running(behaviour) as server, tempfile.TemporaryDirectory() as folder:
        role = Role.model_validate({"endpoint": server.url, **settings})
        with Engine(
            {"teacher": role}, Path(folder) / "z.sqlite", limits=Limits(usd=CAP), seed=seed
        ) as engine:
            try:
                engine.ask("teacher", asks)
                reached = False
            except BudgetReached:
                reached = True
        return (server.prompt_tokens * price["in"] + server.completion_tokens * price["out"]) / 1e6, reached


if __name__ == "__main__":
    trials = [trial(seed) for seed in range(TRIALS)]
    billed = [usd for usd, _ in trials]
    stopped = [usd for usd, reached in trials if reached]
    print(f"{len(stopped)} runs reached the cap, at {min(stopped)} to {max(stopped)} USD", file=sys.stderr)
    found = row(
        "generation.6", "runs that were billed more than their cap", sum(usd > CAP for usd in billed), 0,
        "lower", n=TRIALS, unit="runs",
        data=f"a cap of {CAP:.2f} USD, {ROWS} random requests, 16 % refused, failed or cut",
        beside={"runs that reached the cap": len(stopped), "most billed USD": round(max(billed), 4),
                "billed when stopped, median USD": round(statistics.median(stopped), 4)},
        note="billed is what the server counted, answers that broke off included",
    )  # fmt: skip
    print(record("generation", [found]), file=sys.stderr)
