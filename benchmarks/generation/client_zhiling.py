"""Our engine with store, ledger and limits. Told: URL, requests, parallel, and the database's file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from zhiling.llm.engine import Engine
from zhiling.llm.limits import Limits
from zhiling.llm.reply import Reply
from zhiling.llm.role import Role
from zhiling.llm.verdict import Ask
from zhiling.llm.wire import ChatRequest, user


def main(url: str, count: int, parallel: int, database: Path) -> dict[str, float]:
    role = Role.model_validate(
        {"endpoint": url, "model": "m", "parallel": parallel, "price": {"in": 1, "out": 2}}
    )
    limits = Limits(usd=1000, calls=10**6, tokens=10**9, minutes=60)
    with Engine({"teacher": role}, database, run="bench", limits=limits) as engine:
        cpu, wall = time.process_time(), time.monotonic()
        outcomes = engine.ask(
            "teacher", [Ask(ChatRequest(user(f"question {number}"))) for number in range(count)]
        )
        return {
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.monotonic() - wall,
            "replies": sum(isinstance(outcome, Reply) for outcome in outcomes),
        }


if __name__ == "__main__":
    told = sys.argv[1:]
    print(json.dumps(main(told[0], int(told[1]), int(told[2]), Path(told[3]))))
