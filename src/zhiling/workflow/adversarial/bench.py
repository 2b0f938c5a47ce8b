"""Runs variants of the user's recipe: what stands before the block once a seed, then each arm behind it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.adversarial.block import Adversarial
from zhiling.adversarial.features import Remembered
from zhiling.adversarial.guards.rules import Alarm
from zhiling.adversarial.real import labelled, with_text
from zhiling.errors import StepFailed, UsageError
from zhiling.pipeline.ledger import ATTEMPT
from zhiling.pipeline.runner import Listener, Runner
from zhiling.pipeline.step import Encoder
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.pipeline.table import RowTable
from zhiling.rows.conversation import user_text
from zhiling.text.normalise import normalise
from zhiling.workflow.adversarial.draw import NO_LABEL, Draw
from zhiling.workflow.adversarial.hold_out import HIDDEN
from zhiling.workflow.document import Document, plain
from zhiling.workflow.models import RunModels
from zhiling.workflow.reader import Reader
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import plan_of

_GONE = "generator_gone"
_STEPS = "zhiling.workflow.adversarial.hold_out"
_KEPT_SECTIONS = ("version", "name", "limit", "max_failed", "models", "encoder", "sources", "budget")


@dataclass(frozen=True)
class BlockLine:
    """The block of a recipe and what stands before it.

    Attributes:
        line: the block as it is written, with `id`, `from` and `only`.
        before: the lines of the steps before it.
    """

    line: Mapping[str, Any]
    before: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """The recipe's block, the first where there are several.

        Raises:
            UsageError: it has none.
        """
        lines: list[dict[str, Any]] = plain(recipe.document.tree.get("steps") or [])
        for place, line in enumerate(lines):
            if line.get("use") == Adversarial.name:
                return cls({"id": Adversarial.name, **line}, lines[:place])
        raise UsageError(
            f"no step has `use: {Adversarial.name}`, so there is nothing to compare",
            place=recipe.document.file.name,
            hint="examples/adversarial has one; `zhiling steps propose` tells its settings",
        )

    @property
    def id(self) -> str:
        """Of the block."""
        return self.line["id"]

    @cached_property
    def settings(self) -> Adversarial:
        """The block's settings, with its defaults."""
        own = {key: value for key, value in self.line.items() if key not in ("id", "use", "from", "only")}
        return Adversarial.model_validate(own)

    @property
    def generators(self) -> list[dict[str, Any]]:
        """As they are written."""
        return [dict(each) for each in self.line["generators"]]

    def changed(self, **settings: Any) -> list[dict[str, Any]]:
        """The loop with some settings changed."""
        return [{**self.line, **settings}]

    def once(self, per_round: int) -> list[dict[str, Any]]:
        """One round of the loop, all that its discriminators accept: no guard takes it back."""
        told = self.settings.model_copy(update={"rounds": 1, "per_round": per_round}).unfolded(self.id)
        steps = [{**self._narrowed, **each} for each in told["steps"]]
        return [{"id": self.id, **told, "use": "repeat", "until": {"accepted": per_round}, "steps": steps}]

    @property
    def _narrowed(self) -> dict[str, Any]:
        """Which rows the block is about, for its steps."""
        return {key: self.line[key] for key in ("from", "only") if key in self.line}

    def proposed(
        self, generators: Sequence[Mapping[str, Any]], count: int, rounds: int | None = None
    ) -> list[dict[str, Any]]:
        """What generators write from all known rows, judged by the block's gates alone.

        Args:
            generators: as they are written.
            count: rows at most.
            rounds: None: as many as the loop has.
        """
        rounds = self.settings.rounds if rounds is None else rounds
        per_round = max(self.settings.per_round, -(-count // rounds))
        propose = {
            "use": "propose", "generators": list(generators), "per_round": per_round, "aimed": 0,
            "held_back": 0,
        }  # fmt: skip
        return self.gated(propose, count, rounds)

    def gated(self, step: Mapping[str, Any], count: int, rounds: int = 1) -> list[dict[str, Any]]:
        """What a Make step that adds rows writes, judged by the block's gates alone: `count` rows at most."""
        named = {"id": f"{self.id}_{step['use']}", **step}
        steps = [{**self._narrowed, **each} for each in (named, *self.line.get("gates", ()))]
        until = {"accepted": count}
        return [{"id": self.id, "use": "repeat", "rounds": rounds, "until": until, "steps": steps}]


@dataclass(frozen=True)
class Written:
    """The rows of an arm.

    Attributes:
        rows: `text` and `label`.
        calls: questions to models, whether or not a stored reply answered.
        alone: whether the student learns from these rows and not from the known ones.
        alarm: the guard that stopped an arm which must be stopped; None: none did.
    """

    rows: pl.DataFrame
    calls: int = 0
    alone: bool = False
    alarm: Alarm | None = None


class _Counted:
    """The models of a run, counting what is asked."""

    def __init__(self, models: RunModels) -> None:
        self._models, self.asked = models, 0

    def __call__(self, step: str) -> Self:
        return self

    def ask(self, role: str, asks: Sequence[Any]) -> list[Any]:
        """A reply or a typed failure for each ask."""
        self.asked += len(asks)
        return self._models.ask(role, asks)


class _Trials(Project):
    """A project whose earlier results are those of some folders alone."""

    def __init__(self, root: Path, known: Sequence[Path]) -> None:
        super().__init__(root)
        self._known = known

    def run_paths(self) -> list[Path]:
        """The folders."""
        return [path for path in self._known if (path / "manifest.json").is_file()]


@dataclass(frozen=True)
class Bench:
    """One seed's known rows and lines, and a runner of variants over them.

    Attributes:
        recipe: the user's.
        block: its block.
        folder: where runs are left, under the recipe's folder.
        seed: of rows and steps.
        draw: the rows that are held.
        encoder: the recipe's, which does not encode a text twice.
        tell: is told events.
        name: of the run whose budget counts.
    """

    recipe: Recipe
    block: BlockLine
    folder: Path
    seed: int
    draw: Draw
    encoder: Encoder
    tell: Listener
    name: str

    # ---- what stands before the block ----

    @cached_property
    def _base(self) -> RowTable:
        self.draw.write(self._held)
        return self._run(self._base_folder, (), [])[0]

    @property
    def _base_folder(self) -> Path:
        return self.folder / f"before-{self.seed}"

    @property
    def _held(self) -> Path:
        return self.folder / f"held-{self.seed}.parquet"

    @cached_property
    def known(self) -> pl.DataFrame:
        """`text`, `label` of the labelled rows that every student learns from."""
        rows = self._read(self._base.kept())
        return with_text(rows.filter(labelled(rows))).select("text", "label")

    @cached_property
    def lines(self) -> pl.Series:
        """Texts of the lines without a label, each once."""
        rows = self._read(self._base.kept())
        lines = rows.filter(rows["task"] == "utterance")
        return user_text(lines["messages"]).unique(maintain_order=True)

    @cached_property
    def lines_with_truth(self) -> pl.DataFrame:
        """`text` and `label` of the lines that have a label which is known, and hidden from all arms."""
        told = self.with_truth(self.lines.to_frame("text")).filter(pl.col("true") != NO_LABEL)
        return told.select("text", pl.col("true").alias("label"))

    def with_truth(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those of the rows whose text's label is known, with `true`."""
        truth = pl.DataFrame(
            {"key": list(self.draw.truth), "true": list(self.draw.truth.values())},
            schema={"key": pl.String, "true": pl.String},
        )
        keyed = rows.with_columns(normalise(rows["text"]).alias("key"))
        return keyed.join(truth, on="key", how="inner", maintain_order="left").drop("key")

    def _read(self, numbers: NDArray[np.int64]) -> pl.DataFrame:
        return self._base.read(["id", "messages", "task", "target"], numbers)

    def warm(self) -> None:
        """Encodes what all arms are given, so that none of them pays for it."""
        self.encoder.encode([*self.known["text"], *self.lines, *self.draw.tested["text"]])

    # ---- an arm ----

    def rows(self, arm: str, steps: Sequence[Mapping[str, Any]]) -> Written:
        """The rows that these steps make behind what stands before the block.

        An arm that was left begins anew, so that what it took is whole.

        Raises:
            StepFailed: a generator could not go on, so the arm is not what it is called.
        """
        first = len(self._base)
        folder = self.folder / f"{arm}-{self.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        table, calls = self._run(folder, [self._base_folder], steps)
        _refuse_gone(RunFolder.open(folder).manifest)
        numbers = table.exported()
        found = table.read(["id", "messages", "task", "target"], numbers[numbers >= first])
        shutil.rmtree(folder, ignore_errors=True)
        return Written(with_text(found.filter(labelled(found))).select("text", "label"), calls)

    def _run(
        self, folder: Path, earlier: Sequence[Path], steps: Sequence[Mapping[str, Any]]
    ) -> tuple[RowTable, int]:
        recipe = self._variant(steps)
        run = _opened(folder)
        with RunModels(recipe, self.name, listen=self.tell) as models:
            counted = _Counted(models)
            plan = replace(plan_of(recipe), load_models=counted, load_encoder=lambda: self.encoder)
            table = Runner(plan, run, _Trials(recipe.root, earlier), self.tell).rows()
        return table, counted.asked

    def _variant(self, steps: Sequence[Mapping[str, Any]]) -> Recipe:
        """The user's recipe with other steps behind those that stand before its block."""
        tree = {
            key: value for key, value in plain(self.recipe.document.tree).items() if key in _KEPT_SECTIONS
        }
        file = self._held.relative_to(self.recipe.root).as_posix()
        held = [{"id": "compare_held_out", "use": f"{_STEPS}:HoldOut", "file": file}]
        if self.draw.held.get(HIDDEN):
            held.append({"id": "compare_hidden", "use": f"{_STEPS}:HideLabels", "file": file})
        tree |= {"seed": self.seed, "steps": [*held, *self.block.before, *steps]}
        return Reader(Document(self.recipe.document.file, tree)).recipe()


def _refuse_gone(manifest: Manifest) -> None:
    gone = sum(stage.counts.get(ATTEMPT, {}).get(_GONE, 0) for stage in manifest.stages)
    if gone:
        raise StepFailed(
            "a generator could not go on: its model is away or refuses, or the budget is used up",
            hint="mend that, and give the same command again: stored replies are not asked for anew",
        )


def _opened(folder: Path) -> RunFolder:
    if (folder / "manifest.json").is_file():
        return RunFolder.open(folder)
    return RunFolder.create(folder, Manifest(run=folder.name, recipe=""))


def source_rows(recipe: Recipe, folder: Path, tell: Listener) -> pl.DataFrame:
    """All rows of the recipe's sources as they came, before any step: what `draw.Rows` reads."""
    plan = replace(plan_of(recipe), steps=(), gates=())
    table = Runner(plan, _opened(folder), _Trials(recipe.root, ()), tell).rows()
    return table.read(["id", "messages", "task", "target", "group", "extra"], table.kept())


def encoder_of(recipe: Recipe) -> Encoder:
    """The recipe's encoder, which does not encode a text twice.

    Raises:
        UsageError: it names none.
    """
    load = plan_of(recipe).load_encoder
    if load is None:
        raise UsageError(
            "the student needs an encoder",
            place=recipe.document.file.name,
            hint="add `encoder: {use: hashing}` to the recipe",
        )
    return Remembered(load())
