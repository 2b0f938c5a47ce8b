"""One run of a recipe under an engine, or one step by Ray Data; what it cost without starting up.

    python engine_job.py local|ray|ray_data FOLDER COST.json [STEP ...]

FOLDER holds corpus.jsonl. Before the clock starts, the same engine takes the same steps over the first rows,
so that processes stand and libraries are loaded. CPU seconds are those of this process and of all that it
started. Steps: all of STEPS, or those named.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import psutil

STEPS = ("length", "boilerplate", "repetition", "role_leak", "exact_dedup", "near_dedup")
WARM_ROWS = 60_000
CPUS = 2


def cpu_s() -> float:
    """CPU seconds of this process and all below it that stand."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def worker_mb() -> float:
    """The most memory that one of Ray's workers below this process has held; 0 where there is none."""
    below = psutil.Process().children(recursive=True)
    return max((peak_mb(process.pid) for process in below if process.name().startswith("ray::")), default=0.0)


def peak_mb(pid: int) -> float:
    """The most memory that a process has held (`ru_maxrss` would count its caller's too); Linux only."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Meter:
    """Told of a run's events, it notes the CPU seconds of each stage: of all processes, and of this one."""

    def __init__(self) -> None:
        self.all_s: dict[str, float] = {}
        self.driver_s: dict[str, float] = {}
        self._before = cpu_s(), time.process_time()

    def __call__(self, event: dict[str, Any]) -> None:
        """One event."""
        if event["event"] != "done":
            return
        now = cpu_s(), time.process_time()
        self.all_s[event["step"]] = round(now[0] - self._before[0], 2)
        self.driver_s[event["step"]] = round(now[1] - self._before[1], 2)
        self._before = now


def taken(folder: Path, data: str, steps: tuple[str, ...], engine: Any, listen: Callable[[Any], None]) -> Any:
    """The recipe over a file of the folder, its sources read and its steps taken: the run's folder."""
    from zhiling.pipeline.runner import Runner
    from zhiling.pipeline.store import Manifest, Project, RunFolder
    from zhiling.workflow.recipe import Recipe
    from zhiling.workflow.run import plan_of

    folder.mkdir(exist_ok=True)
    lines = "\n".join(f"  - {{id: {step}, use: {step}}}" for step in steps)
    source = f"  - {{id: rows, use: instructions, path: ../{data}, licence: CC0-1.0}}"
    text = f"version: 1\nname: engine\nseed: 1\nsources:\n{source}\nsteps:\n{lines}\n"
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    plan, project = plan_of(Recipe.load(folder / "recipe.yaml")), Project(folder)
    run = RunFolder.create(project.next_path("engine"), Manifest(run="engine-0001", recipe="engine"))
    Runner(plan, run, project, listen, engine).rows()
    return run


@contextmanager
def engine(name: str) -> Any:
    """An engine of ours."""
    if name == "local":
        from zhiling.pipeline.engines.local import LocalEngine

        yield LocalEngine()
        return
    from zhiling.pipeline.engines.ray import ray_engine

    with ray_engine(None) as opened:
        yield opened


def by_engine(name: str, folder: Path, steps: tuple[str, ...]) -> dict[str, Any]:
    """The whole run, sources read and all."""
    with engine(name) as opened:
        taken(folder / f"warm-{name}", "warm.jsonl", steps, opened, lambda event: None)
        meter = Meter()
        before, started = cpu_s(), time.monotonic()
        run = taken(folder / name, "corpus.jsonl", steps, opened, meter)
        cost = {"cpu_s": cpu_s() - before, "wall_s": time.monotonic() - started}
        cost["worker_mb"] = worker_mb()
        cost["driver_mb"] = peak_mb(os.getpid())
    return cost | {"run": str(run.path), "stage_cpu_s": meter.all_s, "driver_cpu_s": meter.driver_s}


def by_ray_data(folder: Path, steps: tuple[str, ...]) -> dict[str, Any]:
    """One step over the Parquet parts of a run, by Ray Data."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    import ray

    parts = sorted(str(path) for path in (folder / "local" / "runs").rglob("rows-*.parquet"))
    (step,) = steps
    judge = judged_by(step)
    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def count(files: list[str]) -> int:
        rows = ray.data.read_parquet(files).select_columns(["id", "messages"])
        answers = rows.map_batches(judge, batch_format="pyarrow", batch_size=20_000)
        return sum(
            batch.num_rows for batch in answers.iter_batches(batch_format="pyarrow", batch_size=20_000)
        )

    count(parts[:3])
    before, started = cpu_s(), time.monotonic()
    rows = count(parts)
    cost = {"cpu_s": cpu_s() - before, "wall_s": time.monotonic() - started, "rows": rows}
    ray.shutdown()
    return cost


def judged_by(name: str) -> Callable[[Any], Any]:
    """A function from a batch to the step's verdicts, as an Arrow table."""

    def judge(batch: Any) -> Any:
        from zhiling.pipeline.registry import load
        from zhiling.pipeline.step import Context

        step = load("step", name)()
        return step.decide(pl.DataFrame(batch), Context(name)).to_arrow()

    return judge


def main(how: str, folder: Path, out: Path, steps: tuple[str, ...]) -> None:
    """Measures and writes what it measured."""
    warm = folder / "warm.jsonl"
    if not warm.exists():
        with (folder / "corpus.jsonl").open("rb") as lines, warm.open("wb") as target:
            target.writelines(line for _, line in zip(range(WARM_ROWS), lines, strict=False))
    for name in (how, f"warm-{how}") if how != "ray_data" else ():
        shutil.rmtree(folder / name, ignore_errors=True)
    cost = by_ray_data(folder, steps) if how == "ray_data" else by_engine(how, folder, steps)
    out.write_text(json.dumps(cost), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), tuple(sys.argv[4:]) or STEPS)
