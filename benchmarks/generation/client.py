"""generation.1 and generation.2: what a request costs, and what is left of 1,000 when 30 % are refused.

    python benchmarks/generation/client.py [speed] [refusals]

Each side is a process of its own and asks a fake server in a process of its own; sides take turns. CPU is
user and system time of the client's process, and of those that it starts, without its start. The bare loop
waits out a Retry-After with its place kept; peers run with their own retries and without telemetry.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from record import record, row  # noqa: E402
from served import served  # noqa: E402
from sides import BARE, OURS, PEERS, SIDES, command, environment, peer_versions  # noqa: E402

PARALLEL, TURNS, OF_PEERS = 256, 7, 3
Told = dict[str, float]
Result = dict[str, Any]


def measured(side: str, url: str, count: int) -> Told:
    """What one side tells of itself in the last line that it writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = subprocess.run(
            command(side, url, count, PARALLEL, folder),
            check=True, capture_output=True, text=True, env=environment(folder),
        ).stdout.splitlines()[-1]  # fmt: skip
    print(side, told, file=sys.stderr)
    return json.loads(told)


def times(runs: dict[str, list[Told]], name: str) -> list[float]:
    """How many times the bare loop's figure ours is, turn by turn."""
    return [ours[name] / bare[name] for ours, bare in zip(runs[OURS], runs[BARE], strict=True)]


def median(runs: list[Told], name: str) -> float:
    return statistics.median(told[name] for told in runs)


def conditions() -> str:
    """How often peers had their turn, and how busy the machine was with these processes and with others."""
    return f"peers: {OF_PEERS} turns; load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores"


def turns() -> Iterator[tuple[int, str]]:
    """Who is next: ours and the bare loop in each turn, peers in the first few."""
    for turn in range(TURNS):
        yield from ((turn, side) for side in SIDES if turn < OF_PEERS or side not in PEERS)


def speed(count: int = 3000) -> Iterator[Result]:
    """CPU and throughput beside the bare loop."""
    runs: dict[str, list[Told]] = {side: [] for side in SIDES}
    with served("--latency", "0.05") as server:
        for _, side in turns():
            runs[side].append(measured(side, server.url, count))
    if short := [told for side in (OURS, BARE) for told in runs[side] if told["replies"] < count]:
        raise SystemExit(f"rows are missing: {short}")
    ratios, rates = times(runs, "cpu_s"), [1 / ratio for ratio in times(runs, "wall_s")]
    cpu = {f"{side} ms": round(median(runs[side], "cpu_s") / count * 1e3, 3) for side in SIDES}
    rate = {f"{side} req/s": round(count / median(runs[side], "wall_s")) for side in SIDES}
    data = f"{count:,} requests, {PARALLEL} at once, a server that takes 50 ms"
    note = f"median of {TURNS} turns, extremes as interval; with store, ledger and limits; {conditions()}"
    yield row(
        "generation.1a", "CPU of a request, as times the bare loop's", round(statistics.median(ratios), 2),
        1.7, "lower", low=round(min(ratios), 2), high=round(max(ratios), 2), n=TURNS, unit="times",
        beside=cpu, data=data, note=note,
    )  # fmt: skip
    yield row(
        "generation.1b", "requests a second, as times the bare loop's", round(statistics.median(rates), 2),
        0.6, "higher", low=round(min(rates), 2), high=round(max(rates), 2), n=TURNS, unit="times",
        beside=rate, data=data, note=note,
    )  # fmt: skip


def refusals(count: int = 1000) -> Iterator[Result]:
    """Rows lost and time taken where 30 % of the answers are a 429 that asks for one second."""
    runs: dict[str, list[Told]] = {side: [] for side in SIDES}
    options = ("--latency", "0.05", "--faults", '{"rate_limit": 0.3}', "--retry-after", "1")
    for seed, side in turns():
        with served(*options, "--seed", str(seed)) as server:
            runs[side].append(measured(side, server.url, count))
    lost = {side: [count - told["replies"] for told in runs[side]] for side in SIDES}
    ratios = times(runs, "wall_s")
    seconds = {f"{side} s": round(median(runs[side], "wall_s"), 2) for side in SIDES}
    data = f"{count:,} requests, {PARALLEL} at once; 30 % of answers are 429 with Retry-After: 1"
    yield row(
        "generation.2a", "rows lost", max(lost[OURS]), 0, "lower", n=TURNS, unit="rows",
        beside={f"{side} lost": max(lost[side]) for side in SIDES[1:]}, data=data,
        note=f"most of any seed; {conditions()}",
    )  # fmt: skip
    yield row(
        "generation.2b", "time, as times the bare loop's", round(statistics.median(ratios), 2), 1.3,
        "lower", low=round(min(ratios), 2), high=round(max(ratios), 2), n=TURNS, unit="times",
        beside=seconds, data=data,
        note=f"median of seeds, extremes as interval; the bare loop retries without end; {conditions()}",
    )  # fmt: skip


if __name__ == "__main__":
    parts = {"speed": speed, "refusals": refusals}
    for name in sys.argv[1:] or parts:
        print(record("generation", list(parts[name]()), peer_versions()), file=sys.stderr)
