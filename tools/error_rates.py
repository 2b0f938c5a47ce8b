"""The error rates of steps, from the committed results: what src/zhiling/workflow/error_rates.toml holds.

A row of benchmarks/results/*.json belongs to the step that its field `step` names. Of the rows of `curation`
that have none, it belongs to the step at the head of what it says ("`STEP`: …") or in its id
(`curation.rules.STEP.…`), else to the one that its number measures. Only shares are error rates.

python tools/error_rates.py            # writes the file
python tools/error_rates.py --check    # exit 1 where it differs
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FILE = ROOT / "src" / "zhiling" / "workflow" / "error_rates.toml"

NUMBERED = {
    "1": "near_dedup", "2": "near_dedup", "3": "near_dedup", "4": "decontaminate", "5": "pairing",
    "6": "label_errors", "7": "select", "8": "redact", "9": "injection",
}  # fmt: skip
"""Number of a row of `curation` → the step that it measures."""

SHARES = frozenset({"share", "recall", "precision", "accuracy", "AUROC", "average precision", "AP", "F1"})
"""Units of error rates; times, seconds and megabytes are none."""

KEYS = ("id", "what", "value", "low", "high", "n", "data", "note")
HEAD = """\
# Measured error rates of the steps, shown on their cards. Made by `make docs` from benchmarks/results.
# Origin: written for zhiling. Licence: Apache-2.0.
"""


def text() -> str:
    """The data file."""
    return HEAD + "\n".join(_lines())


def step_of(row: dict[str, Any]) -> str | None:
    """The step that a row measures; None where it measures none."""
    if row.get("step"):
        return row["step"]
    topic, _, rest = row["id"].partition(".")
    if topic != "curation":
        return None
    told = re.match(r"`(\w+)`: ", row["what"]) or re.match(r"rules\.(\w+)", rest)
    if told:
        return told[1]
    numbered = re.match(r"\d+", rest)
    return NUMBERED.get(numbered[0]) if numbered else None


def _lines() -> Iterator[str]:
    rows = [
        row for path in sorted(RESULTS.glob("*.json")) for row in json.loads(path.read_text("utf-8"))["rows"]
    ]
    measured = [(step_of(row) or "", row) for row in rows if row["unit"] in SHARES]
    for step, row in sorted(
        (pair for pair in measured if pair[0]), key=lambda pair: (pair[0], pair[1]["id"])
    ):
        yield ""
        yield f"[[{step}]]"
        told = row | {"what": row["what"].removeprefix(f"`{step}`: ")}
        yield from (f"{key} = {_value(told[key])}" for key in KEYS if told[key] not in (None, ""))
    yield ""


def _value(value: str | float) -> str:
    """A TOML value: JSON's numbers and strings are TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def main(arguments: list[str]) -> int:
    """Writes the file, or compares it."""
    if "--check" in arguments:
        stale = not FILE.exists() or FILE.read_text("utf-8") != text()
        print(*["error_rates.toml differs from the results: run `make docs`"] * stale)
        return int(stale)
    FILE.write_text(text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
