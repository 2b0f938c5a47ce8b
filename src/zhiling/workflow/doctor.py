"""A run checked again from disk: nothing that the run said of itself is believed.

Every count is made anew from the Parquet files, every content hash is recomputed, every verdict is
followed, and the books are balanced again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from zhiling.errors import StepFailed, ZhilingError
from zhiling.pipeline import ledger
from zhiling.pipeline.books import balance, summarise
from zhiling.pipeline.step import Verdict
from zhiling.pipeline.store import RunFolder, Stage
from zhiling.pipeline.table import RowTable, restore
from zhiling.rows.schema import content_hashes


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        check: its name.
        ok: whether it holds.
        detail: the figure that was found, or what is wrong.
    """

    check: str
    ok: bool
    detail: str


def examine(path: Path) -> list[Finding]:
    """All checks of a run's folder.

    Raises:
        MissingInput: no run there.
        DamagedFile: its manifest cannot be read, so that nothing can be checked.
    """
    run = RunFolder.open(path)
    findings: list[Finding] = []
    for check in (_files, _rows, _verdicts, _books, _bad, _split, _exports):
        try:
            findings += check(run)
        except (ZhilingError, pl.exceptions.PolarsError) as error:
            findings.append(Finding(check.__name__.strip("_"), False, str(error)))
    return findings


def _listed(run: RunFolder) -> Iterator[str]:
    for stage in run.manifest.stages:
        for part in stage.parts:
            yield from (name for name in (part.rows, part.ledger, part.measures, part.bad) if name)


def _files(run: RunFolder) -> Iterator[Finding]:
    names = list(_listed(run))
    missing = [name for name in names if not (run.path / name).is_file()]
    yield Finding(
        "files",
        not missing,
        f"{len(names)} listed, missing: {missing}" if missing else f"{len(names)} listed, all there",
    )
    known = {run.path / name for name in names}
    left = [p for p in run.path.glob("[0-9]*/**/*.parquet") if p not in known]
    yield Finding("leftovers", True, f"{len(left)} unlisted (they do not count; `zhiling gc` removes them)")


def _rows(run: RunFolder) -> Iterator[Finding]:
    expected = wrong = 0
    ids: list[pl.Series] = []
    for stage in run.manifest.stages:
        for part in stage.parts:
            if not part.rows:
                continue
            rows = run.read_frame(part.rows)
            numbers = rows["n"].to_numpy()
            if not np.array_equal(numbers, np.arange(expected, expected + len(numbers))):
                yield Finding("numbers", False, f"{part.rows} does not go on at {expected}")
                return
            expected += len(numbers)
            ids.append(rows["id"])
            wrong += int((content_hashes(rows) != rows["content"]).sum())
    yield Finding("numbers", True, f"{expected} rows, numbered without gaps")
    repeated = expected - (pl.concat(ids).n_unique() if ids else 0)
    yield Finding("ids", repeated == 0, f"{repeated} ids stand twice")
    yield Finding("contents", wrong == 0, f"{wrong} rows do not match their content hash")


def _verdicts(run: RunFolder) -> Iterator[Finding]:
    gone = np.zeros(len(_table(run)), dtype=bool)
    unknown = late = 0
    for stage in run.manifest.stages:
        for part in stage.parts:
            if not part.ledger:
                continue
            lines = run.read_frame(part.ledger, ["n", "verdict"]).filter(pl.col("verdict") != ledger.ATTEMPT)
            numbers = lines["n"].to_numpy().astype(np.int64)
            unknown += int((numbers >= len(gone)).sum())
            numbers, verdicts = numbers[numbers < len(gone)], lines["verdict"].filter(lines["n"] < len(gone))
            late += int(gone[numbers].sum())
            gone[numbers[verdicts.is_in([str(v) for v in ledger.TERMINAL]).to_numpy()]] = True
    yield Finding("ledger", unknown == 0, f"{unknown} lines name rows that are not there")
    yield Finding("verdicts", late == 0, f"{late} rows were judged after they had left")


def _table(run: RunFolder) -> RowTable:
    return restore(run, run.manifest.stages)


def _books(run: RunFolder) -> Iterator[Finding]:
    table = _table(run)
    counted = _recount(run, table)
    told = run.manifest.counts
    different = [name for name, value in counted.items() if told and told.get(name) != value]
    yield Finding(
        "counts",
        not different,
        f"manifest and files differ in {different}" if different else "manifest and files agree",
    )
    try:
        balance(counted, "doctor")
        parts = (counted["in"], counted["made"], counted["kept"], sum(counted["rejected"].values()),
                 sum(counted["failed"].values()), counted["replaced"])  # fmt: skip
        yield Finding(
            "conservation",
            True,
            "in {} + made {} = kept {} + rejected {} + failed {} + replaced {}".format(*parts),
        )
    except StepFailed as error:
        yield Finding("conservation", False, str(error))


def _recount(run: RunFolder, table: RowTable) -> dict[str, Any]:
    """The run's counts from its files alone."""
    stages: list[Stage] = []
    for stage in run.manifest.stages:
        counts: dict[str, Counter[str]] = {"rows": Counter()}
        for part in stage.parts:
            if part.rows:
                counts["rows"]["out"] += run.read_frame(part.rows, ["n"]).height
            if part.bad:
                counts["rows"]["bad"] += run.read_frame(part.bad, ["place"]).height
            if part.ledger:
                for verdict, reasons in ledger.tally(
                    run.read_frame(part.ledger, ["verdict", "reason"])
                ).items():
                    counts.setdefault(verdict, Counter()).update(reasons)
        replaces = str(Verdict.REPLACED) in stage.counts
        plain = {name: dict(values) for name, values in counts.items()}
        if replaces:
            plain.setdefault(str(Verdict.REPLACED), {})
        stages.append(stage.model_copy(update={"counts": plain}))
    return summarise(stages, table)


def _bad(run: RunFolder) -> Iterator[Finding]:
    parts = sum(
        run.read_frame(p.bad, ["place"]).height for s in run.manifest.stages for p in s.parts if p.bad
    )
    whole = run.path / "bad.parquet"
    found = run.read_frame("bad.parquet", ["place"]).height if whole.is_file() else 0
    yield Finding("bad items", parts == found, f"{found} in bad.parquet, {parts} in its parts")


def _split(run: RunFolder) -> Iterator[Finding]:
    if not (run.path / "split.parquet").is_file():
        return
    table = _table(run)
    assigned = run.read_frame("split.parquet", ["n", "split"])
    same = np.array_equal(np.sort(assigned["n"].to_numpy()), np.sort(table.exported()))
    yield Finding("split", same, f"{assigned.height} rows assigned, {len(table.exported())} to export")
    groups = table.read(["group"], table.exported()).join(assigned, on="n").drop_nulls("group")
    torn = (
        groups.group_by("group")
        .agg(pl.col("split").n_unique().alias("parts"))
        .filter(pl.col("parts") > 1)
        .height
    )
    yield Finding("groups", torn == 0, f"{torn} groups stand in two split parts")


def _exports(run: RunFolder) -> Iterator[Finding]:
    exports = run.manifest.results.get("exports")
    if not exports:
        return
    expected = len(_table(run).exported())
    for entry in exports:
        files = [run.path / "export" / file["path"] for file in entry["files"]]
        missing = [str(file) for file in files if not file.is_file()]
        told = sum(file["rows"] for file in entry["files"])
        lacking = f", missing {missing}" if missing else ""
        yield Finding(
            f"export {entry['path']}",
            not missing and told == expected,
            f"{told} rows written, {expected} = kept − material − waiting{lacking}",
        )
