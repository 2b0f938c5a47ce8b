"""What each stage of a job cost: CPU seconds of all threads, wall seconds, peak memory."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Stages:
    """A stopwatch of this process; `end` closes the stage that began when the one before it ended."""

    def __init__(self) -> None:
        self._costs: dict[str, dict[str, float]] = {}
        # What the interpreter used before this line belongs to the first stage.
        self._cpu, self._wall = 0.0, time.perf_counter()

    def end(self, name: str) -> None:
        """Books everything since the last call under a name; a name may come more than once."""
        cpu, wall = time.process_time(), time.perf_counter()
        cost = self._costs.setdefault(name, {"cpu_s": 0.0, "wall_s": 0.0, "peak_mb": 0.0})
        cost["cpu_s"] += cpu - self._cpu
        cost["wall_s"] += wall - self._wall
        cost["peak_mb"] = max(cost["peak_mb"], peak_mb())
        _forget_peak()
        self._cpu, self._wall = cpu, wall

    def write(self, path: str, counts: dict[str, int]) -> None:
        """Writes costs by stage, and how many rows were left after each, as JSON."""
        Path(path).write_text(json.dumps({"stages": self._costs, "rows": counts}), encoding="utf-8")


def peak_mb() -> float:
    """The most memory that was resident since `_forget_peak`, or since the start where that does nothing."""
    if STATUS.exists():
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _forget_peak() -> None:
    """Linux can set a process's peak back to what it holds now; elsewhere a stage's peak is that so far."""
    if RESET.exists():
        RESET.write_text("5", encoding="ascii")
