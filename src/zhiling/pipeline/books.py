"""The books of a run: counts from its stages and rows, and the sum that must always hold.

in + made = kept + rejected + failed + replaced
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from zhiling.errors import StepFailed
from zhiling.pipeline import ledger
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import Stage
from zhiling.pipeline.table import RowTable


def summarise(stages: Iterable[Stage], table: RowTable) -> dict[str, Any]:
    """The counts of a run: in, made, kept, material, rejected, failed, replaced, bad, attempts."""
    rejected: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    replaced = made = read = bad = attempts = 0
    for stage in stages:
        out = stage.counts.get("rows", {}).get("out", 0)
        read, made = (read + out, made) if stage.kind == "source" else (read, made + out)
        bad += stage.counts.get("rows", {}).get("bad", 0)
        rejected.update(stage.counts.get(Verdict.REJECT, {}))
        failed.update(stage.counts.get(Verdict.FAILED, {}))
        tried.update(stage.counts.get(ledger.ATTEMPT, {}))
        replaced += sum(stage.counts.get(Verdict.REPLACED, {}).values())
        attempts += out if stage.kind == "make" and Verdict.REPLACED not in stage.counts else 0
    return {
        "in": read,
        "made": made,
        "kept": len(table.kept()),
        "material": len(table.kept(material=True)),
        "rejected": dict(rejected),
        "failed": dict(failed),
        "replaced": replaced,
        "bad": bad,
        "attempts": {"tried": attempts + tried.total(), "failed": dict(tried)},
    }


def balance(counts: Mapping[str, Any], place: str) -> None:
    """Conservation: every row that came in or was made is kept, rejected, failed or replaced.

    Raises:
        StepFailed: the books do not balance; a bug, never a user's error.
    """
    before = counts["in"] + counts["made"]
    after = (
        counts["kept"]
        + sum(counts["rejected"].values())
        + sum(counts["failed"].values())
        + counts["replaced"]
    )
    if before != after:
        raise StepFailed(
            f"after {place!r}: {before} rows in and made, but {after} accounted for: {dict(counts)}"
        )
