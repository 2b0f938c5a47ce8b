"""What two runs differ in: rows added, removed and changed, each with its cause, and counts per step.

Rows are matched by id; rows that a step wrote anew are matched by the source rows that they come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.workflow.inspect.book import Book
from zhiling.workflow.inspect.causes import Cause, changes, joined
from zhiling.workflow.inspect.lineage import COUNTS, Lineage


@dataclass(frozen=True)
class Change:
    """One aspect of a row that differs: verdict, split, text, or `<step>.<column>`."""

    what: str
    before: str
    after: str
    step: str = ""


@dataclass(frozen=True)
class Row:
    """A row that differs.

    Attributes:
        id: in the run that holds it, the newer one where both do.
        place: where it stands in its source.
        changes: empty where the row was added or removed.
        cause: what it comes from.
    """

    id: str
    place: str | None
    changes: tuple[Change, ...]
    cause: Cause


@dataclass(frozen=True)
class Difference:
    """Two runs compared. `steps`: step → count → (before, after), sources among them."""

    before: str
    after: str
    causes: tuple[Cause, ...]
    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    changed: tuple[Row, ...]
    steps: Mapping[str, Mapping[str, tuple[int, int]]]

    def render(self, language: str = "en") -> str:
        """The difference as plain text, in `en` or `zh`."""
        from zhiling.workflow.inspect.difference_text import render

        return render(self, language)

    def as_dict(self) -> dict[str, Any]:
        """The difference as plain JSON, with a count per cause."""
        by_cause = {
            name: [{"cause": asdict(cause), "rows": count} for cause, count in counted(rows)]
            for name, rows in (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        }
        return {**asdict(self), "by_cause": by_cause}


def counted(rows: tuple[Row, ...]) -> list[tuple[Cause, int]]:
    """Rows per cause, the most frequent first."""
    return Counter(row.cause for row in rows).most_common()


def difference(before: Path, after: Path) -> Difference:
    """What the run in folder `after` does differently from that in `before`.

    Raises:
        MissingInput: no run in one of the folders.
        DamagedFile: a file of theirs cannot be read.
    """
    return _Comparison(Lineage(before), Lineage(after)).result()


class _Comparison:
    def __init__(self, before: Lineage, after: Lineage) -> None:
        self.before, self.after = before, after
        self.causes = changes(before.book, after.book)
        ids = before.book.identity["id"].implode()
        self.same: pl.Series = after.book.identity.filter(pl.col("id").is_in(ids))["id"]
        self._shared = frozenset[str](self.same)

    def result(self) -> Difference:
        rewritten = self._rewritten()
        changed = [*self._changed(), *self._rewrites(rewritten)]
        return Difference(
            before=self.before.book.run.id, after=self.after.book.run.id, causes=tuple(self.causes),
            added=tuple(self._alone(self.after, rewritten["after"])),
            removed=tuple(self._alone(self.before, rewritten["before"])),
            changed=tuple(changed), steps=self._steps(),
        )  # fmt: skip

    def _rewritten(self) -> pl.DataFrame:
        """`before, after` (ids), `maker`: rows that a step wrote otherwise from the same source rows."""
        alone = [
            run.origins.filter(~pl.col("id").is_in(self.same.implode())).with_columns(
                pl.int_range(pl.len()).over("maker", "root").alias("rank")
            )
            for run in (self.before, self.after)
        ]
        pairs = alone[0].join(alone[1], on=["maker", "root", "rank"], suffix="_after")
        return pairs.select(pl.col("id").alias("before"), pl.col("id_after").alias("after"), "maker")

    def _alone(self, run: Lineage, paired: pl.Series) -> Iterator[Row]:
        """Rows that only this run has, without those paired as rewrites."""
        known = pl.concat([self.same, paired.rename("id")])
        rows = run.fates.filter(~pl.col("id").is_in(known.implode())).join(run.makers, on="n", how="left")
        for row in rows.sort("n").iter_rows(named=True):
            yield Row(row["id"], row["locator"], (), self._origin(run, row["id"], row["maker"]))

    def _rewrites(self, pairs: pl.DataFrame) -> Iterator[Row]:
        places = self.after.book.identity.select(pl.col("id").alias("after"), "locator")
        for old, new, maker, place in pairs.join(places, on="after").iter_rows():
            yield Row(new, place, (Change("text", old, new, maker),), self._cause(maker))

    def _changed(self) -> Iterator[Row]:
        """Rows with another verdict, split part or measure."""
        found: dict[str, list[Change]] = {}
        causes: dict[str, Cause] = {}
        both = self.before.fates.join(self.after.fates, on="id", suffix="_after")
        for change, row, cause in (*self._verdicts(both), *self._splits(both), *self._measures()):
            found.setdefault(row, []).append(change)
            # of several causes the first counts: a verdict takes a row out of the split too
            causes.setdefault(row, cause)
        places = dict(self.after.book.identity.select("id", "locator").iter_rows())
        for row, changed in found.items():
            yield Row(row, places[row], tuple(changed), causes[row])

    def _verdicts(self, both: pl.DataFrame) -> Iterator[tuple[Change, str, Cause]]:
        order = {name: place for place, name in enumerate(self._order())}
        said = [
            pl.concat_str(f"fate{run}", f"step{run}", f"reason{run}", separator=" ", ignore_nulls=True)
            for run in ("", "_after")
        ]
        moved = both.filter(said[0] != said[1])
        for row in moved.iter_rows(named=True):
            # the first step that says otherwise decides: what comes behind it follows from it
            steps = [step for step in (row["step"], row["step_after"]) if step]
            step = min(steps, key=lambda name: order.get(name, len(order)))
            change = Change("verdict", _told(row, ""), _told(row, "_after"), step)
            yield change, row["id"], self._cause(step)

    def _splits(self, both: pl.DataFrame) -> Iterator[tuple[Change, str, Cause]]:
        chosen = [cause for cause in self.causes if cause.kind in ("split_setting", "seed")]
        cause = joined(chosen) if chosen else Cause("split_upstream")
        moved = both.drop_nulls(["split", "split_after"]).filter(pl.col("split") != pl.col("split_after"))
        for row, old, new in moved.select("id", "split", "split_after").iter_rows():
            yield Change("split", old, new), row, cause

    def _measures(self) -> Iterator[tuple[Change, str, Cause]]:
        old, new = self.before.measures(), self.after.measures()
        for column in new:
            if column not in old:
                continue
            step = column.partition(".")[0]
            pairs = old[column].join(new[column], on="id", suffix="_after")
            moved = pairs.filter(pl.col("value").ne_missing(pl.col("value_after")))
            for row, before, after in moved.select("id", "value", "value_after").iter_rows():
                yield Change(column, before or "", after or "", step), row, self._cause(step)

    def _origin(self, run: Lineage, row: str, maker: str) -> Cause:
        """Why only one run has this row: a made row may come from a source row that only that run has."""
        lone = [root for root in run.roots.get(row, "").split() if root not in self._shared]
        return self._cause(run.sources[lone[0]] if lone else maker)

    def _cause(self, stage: str) -> Cause:
        """Why this source or step answered otherwise: it was changed itself, or something before it was."""
        own = [cause for cause in self.causes if cause.id == stage and cause.kind != "split_setting"]
        if own:
            return joined(own)
        seed = next((cause for cause in self.causes if cause.kind == "seed"), None)
        if seed and not _upstream(self.causes, self.after.book, stage):
            return seed
        return Cause("upstream", stage)

    def _order(self) -> list[str]:
        names = [stage.id for stage in self.after.book.stages]
        return list(dict.fromkeys([*names, *(stage.id for stage in self.before.book.stages)]))

    def _steps(self) -> dict[str, dict[str, tuple[int, int]]]:
        old, new = self.before.totals(), self.after.totals()
        none = dict.fromkeys(COUNTS, 0)
        return {
            name: {key: (old.get(name, none)[key], new.get(name, none)[key]) for key in COUNTS}
            for name in self._order()
        }


def _upstream(causes: list[Cause], book: Book, stage: str) -> bool:
    """Whether something that stands before a stage was changed."""
    names = [each.id for each in book.stages]
    before = set(names[: names.index(stage)]) if stage in names else set(names)
    return any(cause.id in before or cause.kind.endswith("_removed") for cause in causes)


def _told(row: Mapping[str, Any], suffix: str) -> str:
    """`keep`, or `reject near near_duplicate`: verdict, step, reason."""
    parts = [row[f"fate{suffix}"], row[f"step{suffix}"], row[f"reason{suffix}"]]
    return " ".join(part for part in parts if part)
