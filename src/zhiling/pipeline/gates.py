"""Gates: what must hold of the finished rows before anything is exported (see `evaluation_gates` for others).

gates: [{check: rows, at_least: 3000}, {check: contaminated, at_most: 0}]
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhiling.errors import UsageError
from zhiling.pipeline import fingerprint
from zhiling.pipeline.ancestry import roots
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import user_text
from zhiling.rows.evaluation_file import read_texts
from zhiling.text.ngrams import NgramIndex
from zhiling.text.normalise import normalise

GATES: dict[str, str] = {
    "bad": "zhiling.pipeline.gates:BadShare",
    "contaminated": "zhiling.pipeline.gates:Contaminated",
    "counterfactual": "zhiling.pipeline.evaluation_gates:Counterfactual",
    "failed": "zhiling.pipeline.gates:FailedShare",
    "licence": "zhiling.pipeline.gates:Licence",
    "rejected": "zhiling.pipeline.gates:RejectedShare",
    "rows": "zhiling.pipeline.gates:Rows",
    "score": "zhiling.pipeline.evaluation_gates:Score",
}

GateTime = Literal["rows", "evaluation"]
"""When a gate is asked: of the finished rows, before anything is exported, or of the evaluation."""


@dataclass(frozen=True)
class GateResult:
    """A gate's answer: `{"check", "ok", "value", "at_least", "at_most", "detail"}` in the run's summary."""

    check: str
    ok: bool
    value: float
    at_least: float | None
    at_most: float | None
    detail: str = ""


class Gate(BaseModel):
    """A figure of the finished rows with the bounds that it must keep."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    asked: ClassVar[GateTime] = "rows"

    at_least: float | None = Field(None, description="the figure may not be smaller")
    at_most: float | None = Field(None, description="the figure may not be greater")

    @model_validator(mode="after")
    def _bounded(self) -> Gate:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a gate needs at_least or at_most")
        return self

    @abstractmethod
    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """The figure."""

    def check(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> GateResult:
        """The figure held against its bounds."""
        value = self.value(table, counts, root)
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        ok = low and high
        detail = "" if ok else self.detail(table)
        return GateResult(self.name, ok, value, self.at_least, self.at_most, detail)

    def detail(self, table: RowTable) -> str:
        """What the figure is made of, for people; asked where the gate says no."""
        return ""


class Rows(Gate):
    """How many rows the export will hold."""

    name = "rows"

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """Kept rows without material and without those that wait for review."""
        return len(table.exported())


class _Share(Gate):
    def _share(self, part: float, counts: Mapping[str, Any]) -> float:
        whole = counts["in"] + counts["made"]
        return part / whole if whole else 0.0


class BadShare(_Share):
    """Unreadable items as a share of all items."""

    name = "bad"

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """Between 0 and 1."""
        items = counts["in"] + counts["bad"]
        return counts["bad"] / items if items else 0.0


class FailedShare(_Share):
    """Failed rows as a share of all rows."""

    name = "failed"

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """Between 0 and 1."""
        return self._share(sum(counts["failed"].values()), counts)


class RejectedShare(_Share):
    """Rejected rows as a share of all rows."""

    name = "rejected"

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """Between 0 and 1."""
        return self._share(sum(counts["rejected"].values()), counts)


class Licence(Gate):
    """Rows about to be exported with a licence (their own or an ancestor's) that is not allowed, or none."""

    name = "licence"

    allow: tuple[str, ...] = Field(
        min_length=1, description="the licences that are allowed, as the sources spell them"
    )
    at_most: float | None = Field(0, description="the figure may not be greater")

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """A number of rows."""
        return self._refused(table)["id"].n_unique()

    def detail(self, table: RowTable) -> str:
        """Each refused licence with its rows."""
        rows = self._refused(table).group_by("licence").agg(pl.col("id").n_unique()).sort("licence")
        return "; ".join(f"{name or 'none stated'}: {number:,} rows" for name, number in rows.iter_rows())

    def _refused(self, table: RowTable) -> pl.DataFrame:
        """`id, licence`: a line for each row and each licence that it must not have."""
        ids = table.read(["id"], table.exported())["id"]
        sources = table.read(["id", "licence"], table.sources()).rename({"id": "root"})
        found = pl.DataFrame({"id": ids, "root": roots(table, ids)}).explode("root", empty_as_null=False)
        licences = found.join(sources, on="root", how="inner").select("id", "licence")
        allowed = [name.casefold() for name in self.allow]
        refused = ~pl.col("licence").fill_null("").str.to_lowercase().is_in(allowed)
        return licences.filter(refused).unique()


class Contaminated(Gate):
    """Rows about to be exported whose user text equals a text of an evaluation file, or shares a 13-gram.

    A recipe whose `evaluate` names a file has this gate with `at_most: 0`, listed or not.
    """

    name = "contaminated"

    against: tuple[str, ...] = Field((), description="evaluation files; by default the recipe's")
    fields: tuple[str, ...] = Field(
        ("text", "question", "instruction", "prompt"), description="their text fields"
    )

    def detail(self, table: RowTable) -> str:
        """What takes such rows out."""
        files = ", ".join(self.against)
        return f"they repeat {files}; the step `decontaminate` with `against: [{files}]` takes them out"

    def value(self, table: RowTable, counts: Mapping[str, Any], root: Path) -> float:
        """A number of rows."""
        if not self.against:
            raise UsageError(
                "gate 'contaminated' has nothing to compare with", hint="give it `against: [FILES]`"
            )
        files = fingerprint.matching(self.against, root, what="gate 'contaminated'")
        texts = [text for file in files for _, text in read_texts(file, self.fields)]
        index = NgramIndex.build(normalise(pl.Series("text", texts, dtype=pl.String)))
        found = 0
        for rows in table.batches(["messages"], table.exported(), 20_000):
            found += int((index.hits(normalise(user_text(rows["messages"]))).match >= 0).sum())
        return found
