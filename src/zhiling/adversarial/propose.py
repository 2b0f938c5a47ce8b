"""Propose: the rows of a round, from several generators, aimed at what the student can't do yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, model_validator

from zhiling.adversarial import bandit
from zhiling.adversarial.features import Remembered
from zhiling.adversarial.guards.rounds import Cause
from zhiling.adversarial.known import Known
from zhiling.adversarial.marks import marked, tally
from zhiling.adversarial.real import Real, labelled, real_rows, with_text
from zhiling.adversarial.snap import snapped
from zhiling.adversarial.writers import LASTING, Writers, cause_of, out
from zhiling.errors import UsageError
from zhiling.pipeline import registry
from zhiling.pipeline.fingerprint import digest
from zhiling.pipeline.step import Context, Failure, Made, Make
from zhiling.text.normalise import normalise

SURE = 0.9
"""An accepted row whose label the anchors alone make surer than this taught nothing: it is of no use."""
_EVEN, _AIMED = 0, 1  # draws
_LEAST_WEIGHT = 0.02
_PLAN = "plan.json"


class Propose(Make):
    """Writes the rows of a round: each generator its share, half of them aimed, half spread evenly.

    A generator is a Make step; the rows that it writes are added. It sees the anchors and the unlabelled
    rows, never the real rows that are held back. How many of its rows are proposed, a bandit decides by what
    was accepted of it before and taught something. Of what it wrote, one part is drawn evenly over the
    labels; the other is aimed at labels that a classifier of the anchors gets wrong, and at texts on which
    its two views disagree.

    A generator whose model is away, refuses, or has no budget left ends the run in the first round. Later it
    is a failed attempt, `generator_gone`: the others go on, and where none is left, the rounds end.
    """

    name = "propose"
    about = ("classification",)
    scope = "table"
    material = True
    recalls = True
    cost: ClassVar[str] = "its generators', and an encoding a row that they write"
    limits: ClassVar[str] = "Rows of task `classification` with one label. Nothing is judged: see `accept`."
    source: ClassVar[str] = "Thompson 1933 (which generator); Efraimidis and Spirakis 2006 (weighted draws)"

    generators: tuple[dict[str, Any], ...] = Field(
        min_length=1,
        description="Make steps, each written as {use: NAME, ...settings}",
        examples=[[{"use": "retrieve"}], [{"use": "augment", "method": "eda"}]],
    )
    per_round: int = Field(1000, ge=1, description="rows that a round proposes at most")
    aimed: float = Field(0.5, ge=0, le=1, description="share of them that is aimed at what is not known yet")
    snap: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="cosine from which a text gives way to the unlabelled real line that is most like it; "
        "null: never",
        examples=[0.6],
    )
    held_back: float = Field(0.2, ge=0, lt=1, description="share of real rows that no generator sees")

    @model_validator(mode="after")
    def _known(self) -> Self:
        self._named  # noqa: B018 - a generator that can't be built is told of now
        return self

    def reads(self) -> tuple[str, ...]:
        """What the generators read, and what deals out the real rows."""
        own = ("messages", "task", "target", "language", "source", "group", "extra")
        return tuple(dict.fromkeys([*own, *(name for each in self._steps for name in each.reads())]))

    def files(self) -> tuple[str, ...]:
        """Those of the generators."""
        return tuple(file for each in self._steps for file in each.files())

    def outside(self, root: Path, run: str) -> str:
        """What the generators are: their names, versions and settings, and what each depends on."""
        told = [
            (name, each.version, each.model_dump_json(), each.outside(root, run))
            for name, each in self._named.items()
        ]
        return digest(repr(told).encode())

    def roles(self) -> tuple[str, ...]:
        """Those of the generators."""
        return tuple(dict.fromkeys(role for each in self._steps for role in each.roles()))

    def uses_encoder(self) -> bool:
        """The aim is taken by its vectors."""
        return True

    def applies(self, rows: pl.DataFrame) -> pl.Series:
        """Labelled texts, and what a generator is about; lines, too, where texts give way to them."""
        wanted = labelled(rows)
        if self.snap is not None:
            wanted = wanted | (rows["task"] == "utterance").fill_null(value=False)
        for each in self._steps:
            applied = each.applies(rows)
            wanted = wanted | (rows["messages"].is_not_null() if applied is None else applied)
        return wanted

    @cached_property
    def _named(self) -> Mapping[str, Make]:
        """Each generator by its name; a second one of a kind gets a number."""
        found: dict[str, Make] = {}
        for given in self.generators:
            each = _generator(given)
            number = sum(name.partition("-")[0] == each.name for name in found) + 1
            found[each.name if number == 1 else f"{each.name}-{number}"] = each
        return found

    @property
    def _steps(self) -> Iterable[Make]:
        return self._named.values()

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Plans how many rows each generator writes, and fits those generators that learn."""
        real = real_rows(rows, self.held_back, context.seed, context.step_id)
        seen, aim = _seen(rows, real), _Aim(self, real.anchors, context)
        past = [
            {name: (planned, aim.useful.get((name, number), 0)) for name, planned in _plan(state).items()}
            for number, state in enumerate(context.earlier, start=1)
        ]
        lost = out(context.states)
        asked = {name: each for name, each in self._named.items() if name not in lost}
        shared = bandit.shares(list(asked), past, context.generator()) if asked else {}
        (folder / _PLAN).write_bytes(orjson.dumps(bandit.counts(shared, self.per_round) if shared else {}))
        for name, each in asked.items():
            if each.fits():
                own = folder / name
                own.mkdir(exist_ok=True)  # a run that was killed here left it
                each.fit(_about(each, seen), self._context(name, each, context, folder), own)

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """The drawn rows of every generator, each with its mark in `extra`."""
        real = real_rows(rows, self.held_back, context.seed, context.step_id)
        seen, aim, plan = _seen(rows, real), _Aim(self, real.anchors, context), _plan(context.fitted)
        chosen: list[pl.DataFrame] = []
        failures: list[Failure] = []
        gone: dict[str, Cause] = {}
        for name in (name for name, count in plan.items() if count):
            each = self._named[name]
            try:
                made = each.make(_about(each, seen), self._context(name, each, context, context.fitted))
            except LASTING as error:
                if context.round < 2:
                    raise
                gone[name] = cause_of(error)
                told = f"generator {name!r}: {error}"
                failures.append(Failure(rows["id"][0], "generator_gone", told, retryable=True))
                continue
            written = _complete(made.rows, rows)
            failures += [*made.failures, *_unlabelled(written, name)]
            drawn = aim.drawn(self._texts(written, rows, context), plan[name], name)
            extra = [marked(text, name, context.round or 1) for text in drawn["extra"].to_list()]
            chosen.append(drawn.with_columns(pl.Series("extra", extra, dtype=pl.String)))
        Writers(tuple(plan), gone).write(context.fitted)
        if not chosen:
            return Made(rows.select("messages", pl.concat_list("id").alias("parents")).clear(), failures)
        together = pl.concat(chosen, how="diagonal_relaxed").unique("key", keep="first", maintain_order=True)
        return Made(together.drop("text", "label", "key"), failures)

    def _texts(self, written: pl.DataFrame, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """The labelled rows of what a generator wrote, with their texts, snapped where that is asked for."""
        usable = with_text(written.filter(labelled(written)))
        if self.snap is None:
            return usable
        lines = with_text(rows.filter(rows["task"] == "utterance")).sort("id")
        return snapped(usable, lines, self.snap, context.encoder)

    def _context(self, name: str, each: Make, context: Context, folder: Path) -> Context:
        return replace(
            context, step_id=f"{context.step_id}.{name}", state=folder / name if each.fits() else None,
            reference=context.reference if each.recalls else None, earlier=(),
            load_encoder=lambda: Remembered(context.encoder),
        )  # fmt: skip


class _Aim:
    """A classifier of what is known, and what it says about which rows would teach something."""

    def __init__(self, step: Propose, anchors: pl.DataFrame, context: Context) -> None:
        self._step, self._context = step, context
        before = anchors.clear() if context.reference is None else with_text(context.reference)
        self._before = before.filter(labelled(before))
        self._known = Known(anchors, self._before, context)

    @cached_property
    def useful(self) -> Mapping[tuple[str, int], int]:
        """Accepted rows by generator and round whose label the anchors alone did not make sure."""
        before = self._known.before
        if not before.height:
            return {}
        alone = self._known.match(before.clear())
        chances = alone.probabilities(self._known.features(before["text"]))
        sure = chances[np.arange(before.height), self._known.numbers(before["label"])]
        return tally(before.filter(pl.Series(sure < SURE)))

    def drawn(self, written: pl.DataFrame, count: int, generator: str) -> pl.DataFrame:
        """`count` of a generator's rows, new texts with known labels: aimed ones first, then an even draw."""
        written = written.with_columns(normalise(written["text"]).alias("key"))
        known = pl.concat([self._known.anchors["text"], self._before["text"]])
        new = ~pl.col("key").is_in(normalise(known).implode()) & (pl.col("key") != "")
        new = new & pl.col("label").is_in(self._known.labels.implode())
        pool = written.filter(new).unique("key", keep="first", maintain_order=True)
        if pool.height <= count:
            return pool
        aimed = round(self._step.aimed * count)
        none = np.empty(0, dtype=np.int64)
        first = self._by_weight(pool, self._worth(pool), _AIMED, generator)[:aimed] if aimed else none
        rest = np.setdiff1d(np.arange(pool.height), first)
        even = pool.select(1 / pl.len().over("label")).to_series().to_numpy()
        second = self._by_weight(pool[rest], even[rest], _EVEN, generator)[: count - len(first)]
        return pool[np.sort(np.concatenate([first, rest[second]]))]

    def _worth(self, pool: pl.DataFrame) -> NDArray[np.float64]:
        """How much a row could teach: labels that are got wrong, texts on which the views disagree."""
        known, count = self._known, len(self._known.labels)
        newest = known.match(known.before)
        own = known.numbers(known.anchors["label"])
        missed = np.bincount(own, weights=1 - newest.right, minlength=count)
        missed /= np.maximum(np.bincount(own, minlength=count), 1)
        apart = newest.disagreement(known.features(pool["text"]))
        return (missed[known.numbers(pool["label"])] + _LEAST_WEIGHT) * (apart + _LEAST_WEIGHT)

    def _by_weight(
        self, pool: pl.DataFrame, weights: NDArray[np.float64], draw: int, generator: str
    ) -> NDArray[np.int64]:
        """Places in a drawn order, in which a row comes early as often as its weight says."""
        keys = pool.select(pl.concat_str(pl.lit(generator), "key", "label", separator="\0")).to_series()
        uniform = np.maximum(self._context.uniform(keys, 10 + draw), 1e-12)
        return np.argsort(np.log(uniform) / weights, kind="stable")[::-1]


def _seen(rows: pl.DataFrame, real: Real) -> pl.DataFrame:
    """What generators see: all rows but the real ones that are held back."""
    return rows.filter(~pl.col("id").is_in(real.held["id"].implode()))


def _generator(given: Mapping[str, Any]) -> Make:
    settings = dict(given)
    use = settings.pop("use", None)
    try:
        found = registry.load("step", use) if isinstance(use, str) else None
    except UsageError as error:
        raise ValueError(" ".join(filter(None, (error.message, error.hint)))) from error
    if found is None or not issubclass(found, Make):
        raise ValueError(f"a generator is {{use: NAME, ...settings}} of a Make step, not {given!r}")
    return found.model_validate(settings)


def _plan(folder: Path) -> Mapping[str, int]:
    return orjson.loads((folder / _PLAN).read_bytes())


def _about(step: Make, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that a generator is about, with its columns."""
    applied = step.applies(rows)
    about = rows if applied is None else rows.filter(applied)
    return about.select("id", *step.reads())


def _unlabelled(written: pl.DataFrame, generator: str) -> list[Failure]:
    told = f"generator {generator!r} wrote a row without a label"
    return [
        Failure(parents[0], "no_label", told)
        for parents in written.filter(~labelled(written))["parents"].to_list()
    ]


def _complete(made: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Made rows with all columns that are read here; a task that is left out is the first parent's."""
    for name in ("task", "target", "extra"):
        if name not in made.columns:
            made = made.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    tasks = rows.select(pl.col("id").alias("parent"), pl.col("task").alias("inherited"))
    parent = pl.col("parents").list.first().alias("parent")
    made = made.with_columns(parent).join(tasks, on="parent", how="left", maintain_order="left")
    return made.with_columns(pl.coalesce("task", "inherited")).drop("parent", "inherited")
