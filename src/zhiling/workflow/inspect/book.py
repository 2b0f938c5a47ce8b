"""A run read back for people: who is who, what each step said, and with which settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from pydantic import ValidationError

from zhiling.errors import DamagedFile, ZhilingError
from zhiling.pipeline import ledger, registry
from zhiling.pipeline.block import Block
from zhiling.pipeline.store import RunFolder, Stage
from zhiling.pipeline.table import RowTable, restore

_LINE_KEYS = ("id", "use", "from", "only")

# Settings that a score is held against carry one of these names, or begin with min_ or max_.
SCORE_BOUNDS = (
    "at_least", "at_most", "least", "most", "above", "below", "threshold", "jaccard", "confidence", "overlap",
)  # fmt: skip

_IDENTITY = {"n": pl.UInt32(), "id": pl.String(), "source": pl.String(), "locator": pl.String()}


@dataclass(frozen=True)
class Line:
    """A source or step of the recipe as it was resolved.

    Attributes:
        given: what the recipe says.
        settings: that and the defaults; only what the recipe says where the component cannot be loaded.
    """

    id: str
    use: str
    given: Mapping[str, Any]
    settings: Mapping[str, Any]

    def bounds(self) -> dict[str, float]:
        """The numbers that a score may be held against."""
        return {
            name: float(value)
            for name, value in self.settings.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
            if name in SCORE_BOUNDS or name.startswith(("min_", "max_"))
        }

    def score_bounds(self) -> dict[str, float]:
        """Those that are surely in the unit of the score."""
        return {name: value for name, value in self.bounds().items() if name in SCORE_BOUNDS}


class Book:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.run = RunFolder.open(path)
        self.path = path

    @property
    def stages(self) -> Sequence[Stage]:
        """Sources and steps in the order in which they ran."""
        return self.run.manifest.stages

    @cached_property
    def table(self) -> RowTable:
        """All rows with their states."""
        return restore(self.run, self.stages)

    @cached_property
    def recipe(self) -> Mapping[str, Any]:
        """The resolved recipe as plain values; empty where the run has none."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        file, reader = self.path / "recipe.yaml", cast(Any, YAML(typ="safe", pure=True))
        if not file.is_file():
            return {}
        try:
            tree = reader.load(file.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            raise DamagedFile(f"not YAML: {error}", place=str(file)) from error
        return cast(dict[str, Any], tree) if isinstance(tree, dict) else {}

    @cached_property
    def sources(self) -> dict[str, Line]:
        """Sources of the recipe by id."""
        return {line.id: line for line in _lines("source", self.recipe.get("sources"))}

    @cached_property
    def steps(self) -> dict[str, Line]:
        """Steps of the recipe by id, those inside `repeat` too."""
        return {line.id: line for line in _lines("step", self.recipe.get("steps"))}

    @cached_property
    def language(self) -> str:
        """The column that tells a row's language: the last measure of that name, else the source's."""
        measured = [stage.id for stage in self.stages if "language" in stage.counts.get("columns", {})]
        return f"{measured[-1]}.language" if measured else "language"

    @cached_property
    def identity(self) -> pl.DataFrame:
        """`n, id, source, locator` of every row, in the order of `n`."""
        origin = pl.col("origin").struct
        frames = [
            self.run.read_frame(part.path, ["n", "id", "origin"]).select(
                "n", "id", origin.field("source"), origin.field("locator")
            )
            for part in self.table.parts
        ]
        return pl.concat(frames) if frames else pl.DataFrame(schema=_IDENTITY)

    @cached_property
    def splits(self) -> pl.DataFrame:
        """`n` and `split` of every exported row; empty where there was no split yet."""
        if not (self.path / "split.parquet").is_file():
            return pl.DataFrame(schema={"n": pl.UInt32, "split": pl.String})
        return self.run.read_frame("split.parquet", ["n", "split"])

    @cached_property
    def children(self) -> pl.DataFrame:
        """`parent` (id), `n`, `id` of every made row and each of its parents."""
        made = self.table.read(["id", "origin"], self.table.made())
        return made.select("n", "id", pl.col("origin").struct.field("parents").alias("parent")).explode(
            "parent", empty_as_null=False, keep_nulls=False
        )

    def ledger(self, stage: Stage, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """All lines of a stage, failed attempts too."""
        names = list(columns or ledger.LEDGER)
        frames = [self.run.read_frame(part.ledger, names) for part in stage.parts if part.ledger]
        return (
            pl.concat(frames)
            if frames
            else pl.DataFrame(schema={name: ledger.LEDGER[name] for name in names})
        )

    def measures(self, stage: Stage) -> pl.DataFrame | None:
        """`n` and the columns that a stage added; None where it added none."""
        frames = [self.run.read_frame(part.measures) for part in stage.parts if part.measures]
        return pl.concat(frames) if frames else None

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        """The number of each of these ids that this run holds."""
        found = self.identity.filter(pl.col("id").is_in(list(ids)))
        return dict(zip(found["id"].to_list(), found["n"].to_list(), strict=True))

    def rows(self, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
        """The record of each of these rows by its number."""
        columns = ["id", "messages", "alternatives", "task", "target", "language", "origin"]
        frame = self.table.read(columns, np.asarray(numbers, dtype=np.int64))
        return {row["n"]: row for row in frame.iter_rows(named=True)}


def _lines(noun: str, items: Sequence[Any] | None) -> Iterator[Line]:
    for item in items or []:
        if not isinstance(item, dict):
            continue
        entry = cast(dict[str, Any], item)
        use = str(entry.get("use"))
        if noun == "step":
            yield from _lines(noun, _inner(entry, use))
        given = {key: value for key, value in entry.items() if key not in _LINE_KEYS}
        yield Line(str(entry.get("id", use)), use, given, _resolved(noun, use, given))


def _inner(entry: Mapping[str, Any], use: str) -> Sequence[Any] | None:
    """The steps inside a `repeat`, or those that a block stands for."""
    if use not in registry.table("block"):
        return entry.get("steps") if use == "repeat" else None
    settings = {key: value for key, value in entry.items() if key not in _LINE_KEYS}
    block: Block = registry.load("block", use).model_validate(settings)
    return block.unfolded(str(entry.get("id", use)))["steps"]


def _resolved(noun: str, use: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings with their defaults. A component that is not installed here has only those given."""
    try:
        return registry.load(noun, use).model_validate(dict(given)).model_dump(mode="json")
    except (ZhilingError, ValidationError):
        return given


def spoken(messages: Sequence[Mapping[str, Any]] | None) -> list[tuple[str, str]]:
    """Role and text of each message; what is no text is named."""
    told: list[tuple[str, str]] = []
    for message in messages or []:
        text = message.get("text") or ""
        shown: Sequence[Mapping[str, Any]] = message.get("media") or []
        media = [f"[{each.get('kind') or 'media'} {each.get('path') or ''}]" for each in shown]
        calls = [message["tool_calls"]] if message.get("tool_calls") else []
        told.append((message.get("role") or "", " ".join([text, *media, *calls]).strip()))
    return told


def answered(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is spoken in a row, then its other answers under what they are: chosen, rejected or ranked."""
    others: Sequence[Mapping[str, Any]] = row.get("alternatives") or []
    answers = [(str(each["kind"]), spoken(each["messages"])) for each in others]
    return spoken(row["messages"]) + [(kind, text) for kind, turns in answers for _, text in turns]


def first_words(messages: Sequence[Mapping[str, Any]] | None) -> str:
    """One line that tells a row apart: what was said, without the system's text."""
    return " / ".join(" ".join(text.split()) for role, text in spoken(messages) if role != "system" and text)
