"""Small real components for tests of the machinery: a source of lines, and steps of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.pipeline.plan import Plan, RepeatLine, SourceLine, StepLine
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.step import Bad, Batch, Context, Decide, Failure, Made, Make, Measure, Source, verdicts
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import dialogue, user_text


class Lines(Source):
    """One row a line: the line asks, its capitals answer; `!` at the front makes it unreadable."""

    name = "lines"
    batch: int = 50

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        for file in files:
            lines = file.read_text(encoding="utf-8").splitlines()
            for start in range(0, len(lines), self.batch):
                numbered = list(enumerate(lines[start : start + self.batch], start + 1))
                good = [(n, line) for n, line in numbered if not line.startswith("!")]
                bad = [
                    Bad(f"{file.name}:{n}", "exclaimed", line) for n, line in numbered if line.startswith("!")
                ]
                texts = pl.Series([line for _, line in good], dtype=pl.String)
                rows = pl.DataFrame(
                    {
                        "messages": dialogue({"user": texts, "assistant": texts.str.to_uppercase()}),
                        "locator": [f"{file.name}:{n}" for n, _ in good],
                        "group": [line.split(":")[0] if ":" in line else None for _, line in good],
                        "task": ["dialogue"] * len(good),
                    },
                    schema_overrides={"group": pl.String},
                )
                yield Batch(rows, bad)


class Size(Measure):
    """Characters of the question; raises where it holds `boom`."""

    name = "size"

    def writes(self) -> dict[str, pl.DataType]:
        return {"characters": pl.UInt32()}

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        texts = user_text(rows["messages"])
        if texts.str.contains("boom").any():
            raise ValueError("cannot measure a boom")
        return pl.DataFrame({"characters": texts.str.len_chars()})


class TooSmall(StrEnum):
    """Why `Above` rejects."""

    SMALL = "small"


class Above(Decide):
    """Rejects rows whose column is below the bound."""

    name = "above"
    Reason = TooSmall
    column: str = "size.characters"
    least: float = 5

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        values = rows[self.column].cast(pl.Float64)
        return verdicts(values < self.least, TooSmall.SMALL, score=values)


class Hide(Make):
    """Rewrites rows that hold the word."""

    name = "hide"
    effect = "replaces"
    scope = "group"
    word: str = "secret"

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        texts = user_text(rows["messages"])
        hit = texts.str.contains(self.word, literal=True)
        new = texts.filter(hit).str.replace_all(self.word, "[HIDDEN]", literal=True)
        return Made(
            pl.DataFrame(
                {
                    "messages": dialogue({"user": new, "assistant": new.str.to_uppercase()}),
                    "parents": pl.Series([[row] for row in rows["id"].filter(hit)], dtype=pl.List(pl.String)),
                }
            )
        )


class Echo(Make):
    """Writes `times` variants of each row it is given; a row that holds `mute` is a failed attempt."""

    name = "echo"
    times: int = 1

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        new: list[dict[str, Any]] = []
        failures: list[Failure] = []
        for row, text in zip(rows["id"], user_text(rows["messages"]), strict=True):
            if "mute" in text:
                failures.append(Failure(row, "muted", "said nothing"))
                continue
            new += [
                {"text": f"{text} echo {context.round}.{sample}", "parent": [row], "sample": sample}
                for sample in range(self.times)
            ]
        frame = pl.DataFrame(
            new, schema={"text": pl.String, "parent": pl.List(pl.String), "sample": pl.Int64}
        )
        return Made(
            frame.select(pl.col("parent").alias("parents"), "sample").with_columns(
                dialogue({"user": frame["text"], "assistant": frame["text"]})
            ),
            failures,
        )


class Learnt(Measure):
    """Whether a row's question is longer than the mean that `fit` found."""

    name = "learnt"

    def writes(self) -> dict[str, pl.DataType]:
        return {"longer": pl.Boolean()}

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        mean = user_text(rows["messages"]).str.len_chars().mean()
        (folder / "mean.txt").write_text(str(mean), encoding="utf-8")

    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        assert context.state is not None
        mean = float((context.state / "mean.txt").read_text(encoding="utf-8"))
        return pl.DataFrame({"longer": user_text(rows["messages"]).str.len_chars() > mean})


class World:
    """A project folder with one file of lines, run with changing steps and lines."""

    def __init__(self, root: Path) -> None:
        self.root, self.project = root, Project(root)
        self.events: list[dict[str, Any]] = []

    def plan(self, lines: Sequence[str], steps: Sequence[StepLine | RepeatLine], **options: Any) -> Plan:
        """A plan over these lines."""
        file = self.root / "lines.txt"
        file.write_text("\n".join(lines), encoding="utf-8")
        source = SourceLine("lines", Lines(path="lines.txt", **options.pop("source", {})), (file,))
        return Plan("toy", self.root, options.pop("seed", 7), (source,), tuple(steps), **options)

    def run(
        self, lines: Sequence[str], steps: Sequence[StepLine | RepeatLine], **options: Any
    ) -> tuple[Runner, RowTable]:
        """A finished new run."""
        path = self.project.next_path("toy")
        folder = RunFolder.create(path, Manifest(run=path.name, recipe="toy"))
        return self.go_on(folder, lines, steps, **options)

    def go_on(
        self, folder: RunFolder, lines: Sequence[str], steps: Sequence[StepLine | RepeatLine], **options: Any
    ) -> tuple[Runner, RowTable]:
        """A run that may have been left, finished."""
        self.events = []
        engine = options.pop("engine", None)
        plan = self.plan(lines, steps, **options)
        runner = Runner(plan, folder, self.project, self.events.append, engine)
        table = runner.rows()
        folder.manifest.counts = runner.totals()
        folder.manifest.state = "finished"
        folder.save()
        return runner, table

    def reused(self) -> dict[str, int]:
        """Step → rows that were not computed again, in the last run."""
        return {e["step"]: e["reused"] for e in self.events if e["event"] == "done"}

    @staticmethod
    def texts(table: RowTable) -> list[str]:
        """The questions of kept rows, in order."""
        return user_text(table.read(["messages"], table.kept())["messages"]).to_list()
