"""The ledger: one line per row that a step saw, with verdict, reason, score and the row that explains it.

n        u32     the row's number in its run
verdict  string  see `step.Verdict`; `attempt` is a failed try of an adding Make, beside the row sum
reason   string  of the step's enum; for failures their class
score    f64     stored for kept rows too, so a threshold can be moved without measuring again
related  string  an id, `run:id` or `file#locator`
detail   string  a failure's message and traceback
key      u64     what the answer depended on (see `fingerprint.row_keys`)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import polars as pl

from zhiling.pipeline.step import Failure, Verdict

ATTEMPT = "attempt"

LEDGER: dict[str, pl.DataType] = {
    "n": pl.UInt32(),
    "verdict": pl.String(),
    "reason": pl.String(),
    "score": pl.Float64(),
    "related": pl.String(),
    "detail": pl.String(),
    "key": pl.UInt64(),
}

TERMINAL = (Verdict.REJECT, Verdict.FAILED, Verdict.REPLACED)
"""Verdicts after which a row is no longer kept."""


def lines(columns: Mapping[str, pl.Series | str], height: int) -> pl.DataFrame:
    """Ledger lines from some of the columns; a string stands in every line, a column not given is null."""

    def column(name: str, dtype: pl.DataType) -> pl.Series:
        values = columns.get(name)
        if isinstance(values, pl.Series):
            return pl.Series(name, values, dtype=dtype)
        return pl.repeat(values, height, dtype=dtype, eager=True).alias(name)

    return pl.DataFrame([column(name, dtype) for name, dtype in LEDGER.items()])


def failure_lines(failures: Iterable[Failure], numbers: dict[str, int], verdict: str) -> pl.DataFrame:
    """Ledger lines of failures; `numbers` gives each row's `n` by its id."""
    rows = [
        {
            "n": numbers[failure.row],
            "verdict": verdict,
            "reason": failure.cls,
            "detail": "\n".join(part for part in (failure.place, failure.message, failure.trace) if part),
        }
        for failure in failures
    ]
    given = pl.DataFrame(rows, schema={name: LEDGER[name] for name in ("n", "verdict", "reason", "detail")})
    return lines(given.to_dict(), given.height)


def tally(ledger: pl.DataFrame) -> dict[str, Counter[str]]:
    """Counts per verdict and reason (an empty reason where there is none)."""
    counts: dict[str, Counter[str]] = {}
    grouped = ledger.group_by("verdict", pl.col("reason").fill_null("")).len()
    for verdict, reason, number in grouped.iter_rows():
        counts.setdefault(verdict, Counter())[reason] += number
    return counts
