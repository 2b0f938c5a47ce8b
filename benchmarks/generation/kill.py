"""generation.3: a run of 3,000 rows is killed half way; what is sent again, lost or stored twice?

    python benchmarks/generation/kill.py [TRIALS [TRIALS OF EACH PEER]]

Each trial kills the client and the processes that it started (SIGKILL) once the server has answered a random
share of the rows, waits until the server has sent what it was at, and runs the same again to its end, for two
minutes at most. The server counts. Peers keep what they keep in a folder of their own, by their defaults.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from record import record, row  # noqa: E402
from served import Served, served  # noqa: E402
from sides import OURS, command, environment, peer_versions  # noqa: E402

TRIALS, OF_PEERS, COUNT, PARALLEL, PATIENCE_S = 10, 3, 3000, 64, 120
RESUMING = ("curator", "distilabel")
AT_START = {"curator": 1}
"""Requests that a start sends beside the rows: curator asks the server for its limits."""
Told = dict[str, int]


def trial(side: str, seed: int) -> Told:
    """What the server counted of one killed run and the same again."""
    half = int(COUNT * random.Random(seed).uniform(0.3, 0.7))
    with tempfile.TemporaryDirectory() as name, served("--latency", "0.05") as server:
        folder = Path(name)
        kill(start(side, server, folder), server, half)
        sent, stored = sum(server.report()["seen"].values()), held(folder) if side == OURS else 0
        replies = finished(start(side, server, folder), folder)
        seen = server.report()["seen"]
        told = {
            "sent again": sum(seen.values()) - len(seen) - AT_START.get(side, 0),
            "lost": 0 if replies is None else COUNT - replies,
            "unfinished": int(replies is None),
        }
        if side == OURS:
            later = sum(seen.values()) - sent
            told |= {"in flight": sent - stored, "stored, sent again": later - (COUNT - stored)}
            told |= {"stored twice": held(folder) - COUNT}
    print(side, told, file=sys.stderr)
    return told


def start(side: str, server: Served, folder: Path) -> subprocess.Popen[bytes]:
    """A client in a process group of its own, which writes what it tells to files."""
    with (folder / "told.txt").open("wb") as told, (folder / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            command(side, server.url, COUNT, PARALLEL, folder),
            stdout=told, stderr=errors, env=environment(folder), start_new_session=True,
        )  # fmt: skip


def kill(client: subprocess.Popen[bytes], server: Served, half: int) -> None:
    """Kills a client and what it started once so many rows are answered."""
    while sum(server.report()["answered"].values()) < half:
        if client.poll() is not None:
            raise SystemExit("the run ended before it could be killed")
        time.sleep(0.02)
    os.killpg(client.pid, signal.SIGKILL)
    client.wait()
    time.sleep(0.5)  # what is on its way reaches the server


def finished(client: subprocess.Popen[bytes], folder: Path) -> int | None:
    """How many replies a run has at its end; None where it ends with an error or not in time."""
    try:
        failed = client.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(client.pid, signal.SIGKILL)
        client.wait()
        print(f"no end in {PATIENCE_S} s", file=sys.stderr)
        return None
    if failed:
        print((folder / "errors.txt").read_text(encoding="utf-8")[-500:], file=sys.stderr)
        return None
    return int(json.loads((folder / "told.txt").read_text(encoding="utf-8").splitlines()[-1])["replies"])


def held(folder: Path) -> int:
    """How many replies our database holds."""
    with sqlite3.connect(folder / "zhiling.sqlite") as connection:
        return connection.execute("SELECT COUNT(*) FROM responses").fetchone()[0]


def most(trials: list[Told]) -> Told:
    """The most of each count in any trial."""
    return {name: max(told[name] for told in trials) for name in trials[0]}


def rows(trials: int, of_peers: int) -> list[dict[str, Any]]:
    """Our trials as rows, beside the peers'."""
    ours = most([trial(OURS, seed) for seed in range(trials)])
    peers = {side: [trial(side, seed) for seed in range(of_peers)] for side in RESUMING if of_peers}
    ended = {side: [one for one in told if not one["unfinished"]] for side, told in peers.items()}
    again = {f"{side} sent again": most(told)["sent again"] for side, told in ended.items() if told}
    lost = {f"{side} lost": most(told)["lost"] for side, told in ended.items() if told}
    stuck = {f"{side} unfinished": len(peers[side]) - len(told) for side, told in ended.items()}
    data = f"{COUNT:,} requests, {PARALLEL} at once, killed between 30 and 70 %"
    note = f"most of any trial that ended; peers: {of_peers} trials, unfinished after {PATIENCE_S} s"
    double = sum(ours[name] for name in ("stored, sent again", "lost", "stored twice"))
    if ours["unfinished"]:
        raise SystemExit("a run of ours did not end")
    return [
        row(
            "generation.3a", "requests sent again after kill -9: those in flight", ours["in flight"],
            PARALLEL, "lower", n=trials, unit="requests", beside=again, data=data, note=note,
        ),
        row(
            "generation.3b", "rows lost, stored twice, or stored and sent again", double, 0, "lower",
            n=trials, unit="rows", beside=lost | stuck, data=data, note=note,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    wanted = [int(told) for told in sys.argv[1:]]
    made = rows(*(wanted + [TRIALS, OF_PEERS][len(wanted) :]))
    print(record("generation", made, peer_versions()), file=sys.stderr)
