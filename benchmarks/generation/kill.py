"""generation.3: a run of 3,000 rows is killed half way, ten times; what is sent again, lost or stored twice?

    python benchmarks/generation/kill.py [TRIALS]

Each trial kills the client's process (SIGKILL) once the server has answered a random share of the rows,
waits until the server has sent what it was at, and runs the same again to its end. The server counts.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from record import record, row  # noqa: E402
from served import served  # noqa: E402

TRIALS, COUNT, PARALLEL = 10, 3000, 64


def trial(seed: int) -> dict[str, int]:
    """What the server counted of one killed and one whole run."""
    half = int(COUNT * random.Random(seed).uniform(0.3, 0.7))
    with tempfile.TemporaryDirectory() as folder, served("--latency", "0.05") as server:
        database = Path(folder) / "zhiling.sqlite"
        client = [sys.executable, str(HERE / "client_zhiling.py"), server.url, str(COUNT), str(PARALLEL)]
        first = subprocess.Popen([*client, str(database)], stdout=subprocess.DEVNULL)
        while sum(server.report()["answered"].values()) < half:
            if first.poll() is not None:
                raise SystemExit("the run ended before it could be killed")
            time.sleep(0.02)
        first.kill()
        first.wait()
        time.sleep(0.5)  # what is on its way reaches the server
        sent, stored = sum(server.report()["seen"].values()), held(database)
        done = subprocess.run([*client, str(database)], check=True, capture_output=True, text=True)
        sent_later = sum(server.report()["seen"].values()) - sent
        return {
            "in flight": sent - stored,
            "stored, sent again": sent_later - (COUNT - stored),
            "lost": COUNT - int(json.loads(done.stdout)["replies"]),
            "stored twice": held(database) - COUNT,
        }


def held(database: Path) -> int:
    """How many replies are stored."""
    with sqlite3.connect(database) as connection:
        return connection.execute("SELECT COUNT(*) FROM responses").fetchone()[0]


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    trials = [trial(seed) for seed in range(wanted)]
    print(*trials, sep="\n", file=sys.stderr)
    data = f"{COUNT:,} requests, {PARALLEL} at once, killed between 30 and 70 %"
    most = {name: max(each[name] for each in trials) for name in trials[0]}
    double = most["stored, sent again"] + most["lost"] + most["stored twice"]
    rows = [
        row(
            "generation.3a", "requests sent again after kill -9: those in flight", most["in flight"],
            PARALLEL, "lower", n=wanted, unit="requests", data=data, note="most of any trial",
        ),
        row(
            "generation.3b", "rows lost, stored twice, or stored and sent again", double, 0, "lower",
            n=wanted, unit="rows", data=data, note="most of any trial",
        ),
    ]  # fmt: skip
    print(record("generation", rows), file=sys.stderr)
