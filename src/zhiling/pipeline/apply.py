"""One step on one batch: the answer checked against the step's contract, failing rows put aside.

An exception is bisected down to the rows that cause it (row by row in pieces of ten or fewer), so one
bad row of a thousand becomes one failed row with its traceback, and 999 go on. This is the runner's
quarantine, one of the three places where any exception is caught; here each becomes a counted failure.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from zhiling.errors import StepFailed, ZhilingError
from zhiling.pipeline import ledger
from zhiling.pipeline.step import (
    DECISIONS,
    VERDICT_SCHEMA,
    Context,
    Decide,
    Failure,
    Made,
    Make,
    Measure,
    Step,
    Verdict,
)

ROW_BY_ROW = 10
_TRACE_LINES = 12


@dataclass(frozen=True)
class Outcome:
    """What a step did to a batch.

    Attributes:
        ledger: one line per row that the step saw (and one per failed attempt).
        measures: `n` and the step's columns under their full names, for rows that did not fail.
        made: new rows as the step wrote them, before numbering.
    """

    ledger: pl.DataFrame
    measures: pl.DataFrame | None = None
    made: pl.DataFrame | None = None


def joined(parts: Sequence[Outcome]) -> Outcome:
    """One outcome of several over different rows of one batch."""
    if len(parts) == 1:
        return parts[0]
    measures = [part.measures for part in parts if part.measures is not None]
    made = [part.made for part in parts if part.made is not None]
    return Outcome(
        pl.concat([part.ledger for part in parts]).sort("n"),
        pl.concat(measures, how="diagonal").sort("n") if measures else None,
        pl.concat(made, how="diagonal_relaxed") if made else None,
    )


@dataclass
class _Answers:
    frames: list[pl.DataFrame] = field(default_factory=list)
    rows: list[pl.DataFrame] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    made: list[pl.DataFrame] = field(default_factory=list)


class ContractBroken(StepFailed):
    """A step's answer does not fit its declaration: a bug in the step, not in a row."""


def apply(
    step: Step,
    rows: pl.DataFrame,
    context: Context,
    answer: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
) -> Outcome:
    """A step's outcome for a batch.

    Args:
        step: any step.
        rows: `n`, `id`, `key` and the columns that the step reads; a column `seen:<step id>` (bool) says
            for each measuring step that it reads from whether that step saw the row.
        context: what the step may know.
        answer: gives the step's answer for the rows that it is about, where that was computed elsewhere; of
            what the step reads, `rows` then need no more than measures.

    Raises:
        ContractBroken: the answer has another height, other columns or unknown reasons.
        StepFailed: a table-wide step raised (of other steps, the rows that cause it are put aside).
    """
    rows, unmeasured = _measured(step, rows)
    mask = step.applies(rows)
    seen = rows if mask is None else rows.filter(mask)
    answers = _Answers(failures=unmeasured)
    pending = seen if not unmeasured else seen.filter(~pl.col("id").is_in([f.row for f in unmeasured]))
    if pending.height and answer is not None:
        answers.frames.append(_checked(step, answer(pending), pending.height))
        answers.rows.append(pending)
    elif pending.height:
        _attempt(step, pending, context, answers)
    numbers = dict(zip(rows["id"].to_list(), rows["n"].to_list(), strict=True)) if answers.failures else {}
    if isinstance(step, Make):
        return _made(step, seen, answers, numbers)
    return _judged(step, context.step_id, answers, numbers)


def learn(step: Step, rows: pl.DataFrame, context: Context, folder: Path) -> None:
    """Lets a step learn from all its rows, into a folder.

    Raises:
        StepFailed: it raised; no single row can be put aside.
    """
    try:
        step.fit(rows, context, folder)
    except (ZhilingError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # the runner's quarantine
        raise _failed_on_all(context.step_id, rows, error) from error


def measured(step: Step, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that a step is about, as far as measures say: seen, and neither null nor NaN for a Decide."""
    rows, unmeasured = _measured(step, rows)
    return rows.filter(~pl.col("id").is_in([f.row for f in unmeasured])) if unmeasured else rows


def _measured(step: Step, rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Failure]]:
    """Drops rows that a measuring step passed by; rows with null or NaN measures fail as `unmeasured`."""
    markers = [name for name in rows.columns if name.startswith("seen:")]
    if not markers:
        return rows, []
    rows = rows.filter(pl.all_horizontal(markers))
    columns = [name for name in step.reads() if any(name.startswith(f"{mark[5:]}.") for mark in markers)]
    missing = pl.any_horizontal(
        pl.col(name).is_null() | (pl.col(name).is_nan() if rows.schema[name].is_float() else pl.lit(False))
        for name in columns
    )
    bad = rows.filter(missing)["id"].to_list() if isinstance(step, Decide) else []
    return rows.drop(markers), [Failure(row, "unmeasured", f"null or NaN in {columns}") for row in bad]


def _failed_on_all(step_id: str, rows: pl.DataFrame, error: Exception) -> StepFailed:
    return StepFailed(
        f"step {step_id!r} failed on its {rows.height} rows: {type(error).__name__}: {error}",
        hint="a step that sees the whole table cannot put single rows aside; -v shows the traceback",
    )


def _attempt(step: Step, rows: pl.DataFrame, context: Context, answers: _Answers) -> None:
    given = rows.select("id", *(name for name in dict.fromkeys(step.reads()) if name != "id"))
    try:
        answer = _call(step, given, context)
    except (ZhilingError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # the runner's quarantine
        if step.scope == "table":
            raise _failed_on_all(context.step_id, rows, error) from error
        pieces = list(_pieces(step, rows))
        if len(pieces) > 1:
            for piece in pieces:
                _attempt(step, piece, context, answers)
            return
        trace = "".join(traceback.format_exception(error)[-_TRACE_LINES:])
        answers.failures += [
            Failure(row, type(error).__name__, str(error), trace=trace) for row in rows["id"].to_list()
        ]
        return
    if isinstance(answer, Made):
        answers.made.append(answer.rows)
        answers.failures += answer.failures
    else:
        answers.frames.append(answer)
    answers.rows.append(rows)


def _pieces(step: Step, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Halves of a batch (tenths at the end), cut between groups where the step needs them whole."""
    if step.scope == "group":
        runs = rows["group"].fill_null(rows["id"]).rle_id().to_numpy()
        starts = np.flatnonzero(np.diff(runs, prepend=-1))
    else:
        starts = np.arange(rows.height)
    if len(starts) > ROW_BY_ROW:
        starts = starts[[0, len(starts) // 2]]
    ends = [*starts[1:], rows.height]
    for start, end in zip(starts, ends, strict=True):
        yield rows.slice(int(start), int(end - start))


def _call(step: Step, rows: pl.DataFrame, context: Context) -> pl.DataFrame | Made:
    if isinstance(step, Make):
        return step.make(rows, context)
    if isinstance(step, Measure):
        return _checked(step, step.measure(rows, context), rows.height)
    if isinstance(step, Decide):
        return _checked(step, step.decide(rows, context), rows.height)
    raise ContractBroken(f"step {step.name!r} is neither Measure, Decide nor Make")


def _checked(step: Step, answer: pl.DataFrame, height: int) -> pl.DataFrame:
    """The answer of a Measure or Decide, if it has the rows and columns that it must have."""
    wanted = set(step.writes()) | (set(VERDICT_SCHEMA) if isinstance(step, Decide) else set[str]())
    if answer.height != height:
        raise ContractBroken(f"step {step.name!r} answered {answer.height} of {height} rows")
    if not wanted <= set(answer.columns) <= wanted | {"failure"}:
        raise ContractBroken(
            f"step {step.name!r} answered columns {answer.columns}, declared are {sorted(wanted)}"
        )
    return answer


def _judged(step: Step, step_id: str, answers: _Answers, numbers: dict[str, int]) -> Outcome:
    lines = [ledger.failure_lines(answers.failures, numbers, Verdict.FAILED)]
    measures: pl.DataFrame | None = None
    if answers.frames:
        answer = pl.concat(answers.frames, how="diagonal")
        rows = pl.concat(answers.rows)
        fine = _fine(answer, rows, lines)
        columns: dict[str, pl.Series | str] = {"n": rows["n"], "key": rows["key"]}
        if isinstance(step, Decide):
            _check_reasons(step, answer)
            columns |= {name: answer[name].cast(dtype) for name, dtype in VERDICT_SCHEMA.items()}
        else:
            columns["verdict"] = str(Verdict.MEASURED)
        lines.append(ledger.lines(columns, rows.height).filter(fine))
        if step.writes():
            written = {f"{step_id}.{name}": answer[name].cast(dtype) for name, dtype in step.writes().items()}
            measures = pl.DataFrame({"n": rows["n"], **written}).filter(fine)
    return Outcome(pl.concat(lines).sort("n"), measures)


def _fine(answer: pl.DataFrame, rows: pl.DataFrame, lines: list[pl.DataFrame]) -> pl.Series:
    """Mask of rows that the step could measure; the others get a failure line of their class."""
    if "failure" not in answer.columns:
        return pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)
    fine = answer["failure"].is_null()
    failed = rows.filter(~fine)
    if failed.height:
        lines.append(
            ledger.lines(
                {
                    "n": failed["n"],
                    "verdict": str(Verdict.FAILED),
                    "reason": answer["failure"].filter(~fine),
                },
                failed.height,
            )
        )
    return fine


def _check_reasons(step: Decide, answer: pl.DataFrame) -> None:
    unknown = set(answer["verdict"].unique()) - {str(verdict) for verdict in DECISIONS}
    if unknown:
        raise ContractBroken(f"step {step.name!r}: unknown verdicts {sorted(map(str, unknown))}")
    declared = {str(reason) for reason in step.Reason}
    reasons = set(answer.filter(pl.col("verdict") != str(Verdict.KEEP))["reason"].unique())
    if not reasons <= declared:
        raise ContractBroken(
            f"step {step.name!r}: reasons {sorted(map(str, reasons - declared))} are not declared in"
            f" {sorted(declared)}"
        )


def _made(step: Make, seen: pl.DataFrame, answers: _Answers, numbers: dict[str, int]) -> Outcome:
    adds = step.effect == "adds"
    made = pl.concat(answers.made, how="diagonal_relaxed") if answers.made else None
    parents: Sequence[str] = []
    if made is not None and made.height:
        if made["parents"].list.len().min() == 0 or made["parents"].null_count():
            raise ContractBroken(f"step {step.name!r} made a row without parents")
        parents = made["parents"].explode().unique().to_list()
        unknown = set(parents) - set(seen["id"].to_list())
        if unknown:
            raise ContractBroken(
                f"step {step.name!r} names parents that it was not given: {sorted(unknown)[:3]}"
            )
    failed = {failure.row for failure in answers.failures}
    named = pl.Series(parents, dtype=pl.String).implode()
    quiet = seen.filter(~pl.col("id").is_in(list(failed))) if failed and not adds else seen
    verdict = pl.when(pl.col("id").is_in(named)).then(pl.lit(str(Verdict.MADE if adds else Verdict.REPLACED)))
    lines = quiet.select("n", "key", verdict.otherwise(pl.lit(str(Verdict.PASSED))).alias("verdict"))
    return Outcome(
        pl.concat(
            [
                ledger.lines(lines.to_dict(), lines.height),
                ledger.failure_lines(answers.failures, numbers, ledger.ATTEMPT if adds else Verdict.FAILED),
            ]
        ).sort("n"),
        made=made if made is not None and made.height else None,
    )
