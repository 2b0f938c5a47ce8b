"""The sides of each comparison: how a job is run in its own environment, and rows of results made of it."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "spine"), str(HERE.parent)]

from measured import Cost, peer_python, run  # noqa: E402
from record import row  # noqa: E402

ENVIRONMENTS = {"zhiling fast": "zhiling_fast", "zhiling core": "zhiling"}
SCRIPTS = {"zhiling fast": "zhiling", "zhiling core": "zhiling"}


def cost(job: str, side: str, *arguments: Path | str) -> Cost:
    """What `benchmarks/curation/JOB_SIDE.py` costs in the side's environment."""
    script = HERE / f"{job}_{SCRIPTS.get(side, side)}.py"
    made = run([str(peer_python(ENVIRONMENTS.get(side, side))), str(script), *map(str, arguments)])
    print(f"{job} {side}: {made}", file=sys.stderr)
    return made


def times(
    id: str, what: str, goal: float, costs: dict[str, list[Cost]], pair: tuple[str, str]
) -> dict[str, Any]:
    """How many times less CPU the first of the pair needs than the second: median and extremes of runs."""
    ours, peer = pair
    ratios = [theirs.cpu_s / own.cpu_s for own, theirs in zip(costs[ours], costs[peer], strict=True)]
    beside = {
        f"{side} CPU s": round(statistics.median(c.cpu_s for c in runs), 2) for side, runs in costs.items()
    }
    beside |= {f"{side} MB": round(statistics.median(c.rss_mb for c in runs)) for side, runs in costs.items()}
    low, high = round(min(ratios), 2), round(max(ratios), 2)
    value = round(statistics.median(ratios), 2)
    note = "median of runs in turns; low and high are the extremes"
    more = {"low": low, "high": high, "n": len(ratios), "unit": "times", "beside": beside, "note": note}
    return row(id, what, value, goal, "higher", **more)


def wilson(hits: list[bool]) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    n, part, z = len(hits), statistics.fmean(hits), 1.959964
    centre, spread = part + z * z / (2 * n), z * (part * (1 - part) / n + z * z / (4 * n * n)) ** 0.5
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def share(
    id: str, what: str, goal: float, hits: list[bool], direction: str = "higher", **more: Any
) -> dict[str, Any]:
    """A share of cases with its 95 % interval."""
    low, high = wilson(hits)
    value = round(statistics.fmean(hits), 5)
    details = {"low": round(low, 5), "high": round(high, 5), "n": len(hits), "unit": "share"}
    return row(id, what, value, goal, direction, **details, **more)
