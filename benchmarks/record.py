"""Writes rows of a benchmark to benchmarks/results/TOPIC.json, merged by id with those that stand there."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("zhiling", "polars", "numpy", "pyarrow", "torch", "transformers", "scikit-learn")
FIELDS = (
    "id",
    "step",
    "what",
    "value",
    "low",
    "high",
    "n",
    "unit",
    "direction",
    "goal",
    "met",
    "beside",
    "data",
    "note",
    "commit",
    "host",
)


def row(id: str, what: str, value: float, goal: float, direction: str, **more: Any) -> dict[str, Any]:
    """One row of design section 9; `direction` (lower or higher) says which side of the goal meets it.

    A `step` among `more` names the step whose card shows the row (see tools/error_rates.py).
    """
    met = value >= goal if direction == "higher" else value <= goal
    made = {"id": id, "what": what, "value": value, "goal": goal, "direction": direction, "met": met}
    made |= {"low": None, "high": None, "n": None, "unit": "", "beside": {}, "data": "", "note": ""} | more
    if unknown := set(made) - set(FIELDS):
        raise ValueError(f"row {id!r} has fields {sorted(unknown)} that are none of {', '.join(FIELDS)}")
    return made


def record(topic: str, rows: list[dict[str, Any]], versions: dict[str, str] | None = None) -> Path:
    """Merge the rows into the topic's results and return the file; other rows stay as they were.

    With ROW=5 in the environment only rows of that number (`topic.5`, `topic.5a`, `topic.5.x`) are replaced.
    """
    path = RESULTS / f"{topic}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"versions": {}, "rows": []}
    merged = {old["id"]: old for old in before["rows"]}
    for new in rows:
        if _asked_for(topic, new["id"]):
            stamped = {**new, "commit": commit(), "host": host()}
            merged[new["id"]] = {name: stamped.get(name) for name in FIELDS if name != "step" or name in new}
    document = {
        "topic": topic,
        "command": f"make bench-{topic}",
        "versions": before["versions"] | installed() | (versions or {}),
        "rows": [merged[id] for id in sorted(merged, key=_natural)],
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def commit() -> str | None:
    """The commit that is checked out, `+` where files differ from it; None outside a repository."""
    head = _git("rev-parse", "--short=12", "HEAD")
    return head and head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def host() -> dict[str, Any]:
    """What decides a figure, without the machine's name: processor, cores, memory, system, Python."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def installed() -> dict[str, str]:
    """Versions of the packages that figures depend on, as far as they are installed."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        named = re.search(r"^model name\s*:\s*(.+)$", information.read_text(encoding="utf-8"), re.MULTILINE)
        if named:
            return named[1].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> int | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)


def _asked_for(topic: str, id: str) -> bool:
    wanted = os.environ.get("ROW")
    if not wanted:
        return True
    return re.fullmatch(rf"{re.escape(topic)}\.{re.escape(wanted)}[a-z]*(\..+)?", id) is not None


def _natural(id: str) -> list[tuple[int, str]]:
    return [(int(piece), "") if piece.isdigit() else (0, piece) for piece in re.findall(r"\d+|\D+", id)]


if __name__ == "__main__":
    print(json.dumps({"commit": commit(), "host": host(), "versions": installed()}, indent=1))
    sys.exit(0)
