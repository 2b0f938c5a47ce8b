"""Writes docs/capacity.md: what 1 TB of instruction data takes, reckoned from measured constants.

python tools/capacity.py            # writes the page
python tools/capacity.py --check    # exit 1 where it differs
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "curation.json"
TEMPLATE = Path(__file__).with_name("capacity.md.j2")
PAGE = ROOT / "docs" / "capacity.md"
PREFIX = "curation.10."


class Reckoning:
    """The arithmetic: every figure of the page that is not measured comes from here.

    Attributes:
        gigabytes: size of the material as JSON lines.
        cores: for how many the hours are told.
        most_rows: of one run, as rows are numbered in 32 bits.
        steps: those whose cost was measured.
        million: rows of the material, in millions.
    """

    gigabytes = 1000
    cores = (16, 64, 256)
    most_rows = 2**32

    def __init__(self, rows: list[Mapping[str, Any]]) -> None:
        self._measured = {row["id"].removeprefix(PREFIX): row for row in rows if row["id"].startswith(PREFIX)}
        self.steps = [name for name, row in self._measured.items() if "of it driver" in row["beside"]]
        self.million = self.gigabytes * self.value("rows")

    def constants(self) -> list[Mapping[str, Any]]:
        """The measured rows."""
        return list(self._measured.values())

    def data(self) -> str:
        """What was measured on."""
        return str(self._measured["rows"]["data"])

    def value(self, name: str) -> float:
        """A measured constant."""
        return float(self._measured[name]["value"])

    def beside(self, name: str, which: str) -> float:
        """A figure beside a constant."""
        return float(self._measured[name]["beside"][which])

    def read_hours(self) -> float:
        """Hours of the one process that reads."""
        return self.gigabytes * self.value("read") / 3600

    def hours(self, step: str, part: str = "Ray") -> float:
        """CPU hours of a step under Ray, or those of the driver alone."""
        return self.million * self.beside(step, part) / 3600

    def driver_hours(self) -> float:
        """Hours that no further core shortens."""
        return self.read_hours() + sum(self.hours(step, "of it driver") for step in self.steps)

    def shared_hours(self) -> float:
        """CPU hours that cores share."""
        return sum(self.hours(step) - self.hours(step, "of it driver") for step in self.steps)

    def wall_hours(self, cores: int) -> float:
        """Hours with so many cores: in each step workers wait for the driver, or it for them."""
        driver = {step: self.hours(step, "of it driver") for step in self.steps}
        steps = (max((self.hours(step) - own) / cores, own) for step, own in driver.items())
        return self.read_hours() + sum(steps)

    def most_cores(self) -> float:
        """How many cores do the shared work in the hours that the driver needs for its part of the steps."""
        return self.shared_hours() / (self.driver_hours() - self.read_hours())

    def driver_gb(self) -> float:
        """Memory of the driver at its height, in a near-dedup."""
        held = sum(self.value(f"driver.{name}") for name in ("table", "keys", "linked"))
        return self.million * held / 1000

    def terabytes(self, name: str) -> float:
        """Bytes a row, over all rows."""
        return self.million * self.value(name) / 1e6

    def bottleneck(self) -> tuple[str, float]:
        """The longest of what only one process does, and its hours."""
        parts = {"reading the source": self.read_hours()}
        parts |= {f"its part of `{step}`": self.hours(step, "of it driver") for step in self.steps}
        name = max(parts, key=lambda part: parts[part])
        return name, parts[name]


def text() -> str:
    """The page."""
    rows = json.loads(RESULTS.read_text("utf-8"))["rows"]
    page = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        TEMPLATE.read_text("utf-8")
    )
    return page.render(it=Reckoning(rows), number=number)


def number(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def main(arguments: list[str]) -> int:
    """Writes the page, or compares it."""
    made = text()
    if "--check" in arguments:
        return int(PAGE.read_text("utf-8") != made)
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
