"""Every row of a run with its fate: what two runs are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from zhiling.pipeline.ledger import ATTEMPT
from zhiling.workflow.inspect.book import Book


class Lineage:
    """The rows of one run, keyed by id, with verdict, split part and roots."""

    def __init__(self, path: Path) -> None:
        self.book = Book(path)

    @cached_property
    def fates(self) -> pl.DataFrame:
        """`id, n, fate, step, reason, split` of every row.

        `fate` is the verdict with which a row left, else review, flag or keep (the strongest that it met);
        `step` is the step that said so, null where none did.
        """
        lines = pl.concat(
            [pl.DataFrame(schema=_LINES), *(self._lines(place) for place in range(len(self.book.stages)))]
        )
        strength = pl.col("verdict").replace_strict(_STRENGTH, default=0, return_dtype=pl.Int8)
        last = lines.sort(strength, "place", descending=[True, False]).unique("n", keep="first")
        return (
            self.book.identity.select("id", "n", "locator")
            .join(last.drop("place"), on="n", how="left")
            .join(self.book.splits, on="n", how="left")
            .with_columns(pl.col("verdict").fill_null("keep").alias("fate"))
            .drop("verdict")
            .sort("n")
        )

    def _lines(self, place: int) -> pl.DataFrame:
        stage = self.book.stages[place]
        lines = self.book.ledger(stage, ["n", "verdict", "reason"])
        return lines.filter(pl.col("verdict").is_in(list(_STRENGTH))).select(
            "n",
            "verdict",
            "reason",
            pl.lit(stage.id).alias("step"),
            pl.lit(place, dtype=pl.Int64).alias("place"),
        )

    @cached_property
    def makers(self) -> pl.DataFrame:
        """`n` and `maker` (the id of the source or step that wrote it) of every row."""
        pieces = [
            pl.DataFrame({"n": np.arange(part.first, part.last), "maker": stage.id}, _MAKERS)
            for stage in self.book.stages
            for part in stage.parts
            if part.rows
        ]
        return pl.concat([pl.DataFrame(schema=_MAKERS), *pieces])

    @cached_property
    def roots(self) -> Mapping[str, str]:
        """Made row's id → the ids of the source rows that it comes from, sorted and joined."""
        parents: dict[str, list[str]] = {}
        for row, parent in self.book.children.select("id", "parent").iter_rows():
            parents.setdefault(row, []).append(parent)
        found: dict[str, str] = {}
        for row in parents:
            waiting, ends = [row], set[str]()
            while waiting:
                each = waiting.pop()
                waiting += parents.get(each, [])
                if each not in parents:
                    ends.add(each)
            found[row] = " ".join(sorted(ends))
        return found

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """Row's id → the id of its source."""
        return dict(self.book.identity.select("id", "source").iter_rows())

    @cached_property
    def origins(self) -> pl.DataFrame:
        """`id, maker, root` of every made row: where it comes from."""
        made = self.book.identity.join(self.makers, on="n").filter(pl.col("id").is_in(list(self.roots)))
        roots = pl.Series("root", [self.roots[row] for row in made["id"]], dtype=pl.String)
        return made.select("id", "maker", roots)

    def measures(self) -> dict[str, pl.DataFrame]:
        """Column → `id` and `value` (as text) of the rows that have it."""
        found: dict[str, pl.DataFrame] = {}
        names = self.book.identity.select("n", "id")
        for stage in self.book.stages:
            frame = self.book.measures(stage)
            for column in frame.columns if frame is not None else []:
                if frame is None or column == "n" or frame.schema[column].is_nested():
                    continue
                values = frame.select("n", pl.col(column).cast(pl.String).alias("value"))
                told = names.join(values, on="n").select("id", "value")
                found[column] = pl.concat([found[column], told]) if column in found else told
        return found

    def totals(self) -> dict[str, dict[str, int]]:
        """Source or step → its counts (`COUNTS`; a source only reads), rounds added up."""
        found: dict[str, dict[str, int]] = {}
        for stage in self.book.stages:
            entry = found.setdefault(stage.id, dict.fromkeys(COUNTS, 0))
            entry["read" if stage.kind == "source" else "made"] += stage.counts.get("rows", {}).get("out", 0)
            for verdict, reasons in stage.counts.items():
                number = sum(reasons.values())
                if verdict in _COUNTED:
                    entry[_COUNTED[verdict]] += number
                if verdict not in ("rows", "columns", "repeat", ATTEMPT):
                    entry["seen"] += number
            entry["kept"] = entry["seen"] - entry["rejected"] - entry["failed"] - entry["replaced"]
        return found


COUNTS = ("read", "seen", "kept", "rejected", "failed", "replaced", "made")
_COUNTED = {"reject": "rejected", "failed": "failed", "replaced": "replaced"}
_STRENGTH = {"reject": 4, "failed": 4, "replaced": 4, "review": 2, "flag": 1}
_LINES = {"n": pl.UInt32, "verdict": pl.String, "reason": pl.String, "step": pl.String, "place": pl.Int64}
_MAKERS = {"n": pl.UInt32, "maker": pl.String}
