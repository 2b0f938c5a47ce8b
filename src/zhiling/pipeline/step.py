"""The three kinds of step: Measure adds columns, Decide judges rows, Make writes new ones.

A step is a frozen pydantic model, and its fields are its settings: so it validates, documents,
hashes and describes itself. The runner alone splits, joins, stores and counts; a step sees a frame
with the columns that it reads and answers for exactly these rows, so it cannot lose one.

    class Shouting(Decide):
        "Rejects rows that are written in capitals."
        name = "shouting"
        Reason = Reason  # class Reason(StrEnum): CAPITALS = "capitals"
        at_most: float = Field(0.5, description="share of capitals that a kept row may have")

        def decide(self, rows, context):
            share = user_text(rows["messages"]).str.count_matches("[A-Z]") / ...
            return verdicts(share > self.at_most, Reason.CAPITALS, score=share)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from zhiling.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scope = Literal["rows", "group", "table"]
"""What a step must see at once: any batch, whole groups (`origin.group`), or the table."""


class Verdict(StrEnum):
    """What a ledger line says about a row."""

    MEASURED = "measured"
    KEEP = "keep"
    FLAG = "flag"
    REVIEW = "review"
    REJECT = "reject"
    MADE = "made"
    REPLACED = "replaced"
    PASSED = "passed"
    FAILED = "failed"


DECISIONS = (Verdict.KEEP, Verdict.FLAG, Verdict.REVIEW, Verdict.REJECT)


class Encoder(Protocol):
    """Texts to vectors; see `zhiling.encoders`."""

    @property
    def identity(self) -> str:
        """A hash that changes whenever the vectors would."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Float32 (n, dimension), rows of length 1 (an empty text: zeros)."""
        ...


class Models(Protocol):
    """The models that a recipe names; see `zhiling.llm.engine.Engine`."""

    def ask(self, role: str, asks: Sequence[Any]) -> list[Any]:
        """A `Reply` or a `CallFailure` for each `Ask`, in their order (all three: `zhiling.llm`)."""
        ...


class State(NamedTuple):
    """What a step of a `repeat` left behind in a round: the step's name, the round, and the folder."""

    use: str
    round: int
    folder: Path


def uniform(keys: pl.Series, head: str) -> NDArray[np.float64]:
    """A random number in [0, 1) per key (string), fixed by the key and the head."""
    start = head.encode()
    words = b"".join(blake2b(start + key.encode(), digest_size=8).digest() for key in keys.to_list())
    return (np.frombuffer(words, dtype="<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53


@dataclass(frozen=True)
class Context:
    """What a step may know beside its rows.

    Attributes:
        step_id: the step's id in the recipe.
        seed: the recipe's seed.
        round: the round of `repeat`, from 1; 0 outside.
        root: the recipe's folder; relative paths of settings start there.
        run: the run's id; empty outside of runs.
        state: the folder that `fit` filled, where the step has one.
        encoder: the recipe's encoder; reading it where the recipe names none is an error.
        models: the recipe's models, for a step that names `roles()`; opened when first read.
        reference: rows accepted before and rows outside the round (in `repeat`), with the step's columns; for
            a Make that `recalls`, what was accepted of this `repeat`'s earlier rounds.
        earlier: the folders that `fit` filled in the earlier rounds of `repeat`, in their order.
        states: likewise of all steps of this `repeat`, in this round those before the step.
        budget_left: in `repeat`, the share of the budget's scarcest limit that was left when the step began;
            None: the budget limits neither calls nor tokens nor money.
    """

    step_id: str
    seed: int = 0
    round: int = 0
    root: Path = field(default_factory=Path.cwd)
    run: str = ""
    state: Path | None = None
    load_encoder: Callable[[], Encoder] | None = None
    load_models: Callable[[str], Models] | None = None
    reference: pl.DataFrame | None = None
    earlier: tuple[Path, ...] = ()
    states: tuple[State, ...] = ()
    budget_left: float | None = None

    @property
    def encoder(self) -> Encoder:
        """The recipe's encoder."""
        if self.load_encoder is None:
            raise UsageError(
                f"step {self.step_id!r} needs an encoder", hint="add `encoder: {use: hashing}` to the recipe"
            )
        return self.load_encoder()

    @property
    def models(self) -> Models:
        """The recipe's models."""
        if self.load_models is None:
            raise UsageError(
                f"step {self.step_id!r} asks a model, and there is none here",
                hint="add its role to `models` of the recipe",
            )
        return self.load_models(self.step_id)

    @property
    def fitted(self) -> Path:
        """The folder that `fit` filled, for a step that needs it."""
        if self.state is None:
            raise UsageError(f"step {self.step_id!r} has no state", hint="call `fit` on all rows first")
        return self.state

    def uniform(self, ids: pl.Series, draw: int = 0) -> NDArray[np.float64]:
        """A random number in [0, 1) per row, fixed by (seed, step, round, row id, draw).

        Order and sharding change nothing, and no two steps, rounds or draws share their numbers.
        """
        return uniform(ids, f"{self.seed}\0{self.step_id}\0{self.round}\0{draw}\0")

    def generator(self, draw: int = 0) -> np.random.Generator:
        """A numpy generator for table-wide draws, fixed by (seed, step, round, draw)."""
        head = f"{self.seed}\0{self.step_id}\0{self.round}\0{draw}".encode()
        return np.random.default_rng(int.from_bytes(blake2b(head, digest_size=8).digest(), "little"))


@dataclass(frozen=True)
class Failure:
    """A typed failure of one row: never a missing row, never a made-up value.

    Attributes:
        row: the id of the row that could not be done.
        cls: the failure's class, a short snake_case name or an exception's.
        message: what happened, for people.
        place: where, if it is not the row itself.
        retryable: whether trying again may help.
        trace: the traceback, where an exception caused it.
    """

    row: str
    cls: str
    message: str
    place: str = ""
    retryable: bool = False
    trace: str = ""


@dataclass(frozen=True)
class Made:
    """What a Make step wrote.

    Attributes:
        rows: new rows: `messages`, optional `alternatives, task, target, language, tools, extra, group`,
            `parents` (list of ids, required), `sample` (number among siblings, default 0).
            Fields left out are inherited from the first parent (source, licence, group, language, task).
        failures: attempts that came to nothing.
    """

    rows: pl.DataFrame
    failures: Sequence[Failure] = ()


class Step(BaseModel):
    """One line of a recipe's `steps`: settings as fields, behaviour in one method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int] = 1
    kind: ClassVar[Literal["measure", "decide", "make"]]
    scope: ClassVar[Scope] = "rows"
    material: ClassVar[bool] = False  # whether it sees passages and utterances
    one_machine: ClassVar[bool] = False  # whether it reads a file of one machine (the database)
    about: ClassVar[tuple[str, ...]] = ()  # tasks whose rows a make writes, or whose truth a check tells
    cost: ClassVar[str] = "cheap"  # for the step's card: what it costs per row
    limits: ClassVar[str] = ""  # for the step's card: what it does not do
    source: ClassVar[str] = ""  # for the step's card: paper or specification
    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {}  # setting → why it cannot change a result

    def reads(self) -> tuple[str, ...]:
        """Columns that the step is given, beside `id`."""
        return ("messages",)

    def writes(self) -> dict[str, pl.DataType]:
        """Columns that the step adds, by their local name (`score` becomes `<step id>.score`)."""
        return {}

    def files(self) -> tuple[str, ...]:
        """Paths or globs whose contents shape the result (relative to the recipe)."""
        return ()

    def outside(self, root: Path, run: str) -> str:
        """A digest of what outlives runs and shapes the result (the standing index); empty: nothing does.

        Args:
            root: the recipe's folder.
            run: the run that asks, as what it added itself does not count.
        """
        return ""

    def uses_encoder(self) -> bool:
        """Whether the recipe's encoder shapes the result."""
        return False

    def roles(self) -> tuple[str, ...]:
        """The roles of the recipe's `models` that the step asks: what identifies them shapes the result."""
        return ()

    def stays_here(self) -> bool:
        """Whether it works in the process that leads the run: a file, or models, are reached from there."""
        return self.one_machine or bool(self.roles())

    def applies(self, rows: pl.DataFrame) -> pl.Series | None:
        """Which of these rows the step is about (bool); None: all. The others pass by."""
        return None

    def fit(self, rows: pl.DataFrame, context: Context, folder: Path) -> None:
        """Learns from all rows and writes its state into `folder`; `context.state` gives it back."""

    @classmethod
    def fits(cls) -> bool:
        """Whether the class defines `fit`."""
        return cls.fit is not Step.fit


@dataclass(frozen=True)
class Bound:
    """A setting of a Decide that its score is held against, so that labelled rows can calibrate it.

    Attributes:
        setting: name of the field.
        acts: on which side of it a row is acted upon.
        loosest: the value that acts on every row that any value acts on. The scores of these rows then tell
            what each other value would do.
        values: to be tried one by one instead, the strictest first, where the score at one value does not
            tell the verdict at another.
        reason: of the verdicts that this setting causes; None where all are its own.
    """

    setting: str
    acts: Literal["above", "below"]
    loosest: float = 0.0
    values: tuple[float, ...] = ()
    reason: str | None = None


RESERVED = frozenset({"id", "use", "from", "only", "reads", "writes", "files", "outside", "roles"})
"""Names that belong to the recipe line or to the step itself, so no setting may have them."""


class Measure(Step):
    """Adds columns, drops nothing."""

    kind = "measure"
    quality: ClassVar[Literal["", "question", "reply"]] = ""  # what its score ranks, told beside its length

    @abstractmethod
    def measure(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """Exactly the columns of `writes()`, same height and order as `rows`.

        A column `failure` (string) may be added: where it is not null, the row failed with that class.
        """


class Decide(Step):
    """Keeps, flags, sends to review or rejects; never changes a row."""

    kind = "decide"
    Reason: ClassVar[type[StrEnum]]
    bounds: ClassVar[tuple[Bound, ...]] = ()  # settings that `zhiling calibrate` can set

    @abstractmethod
    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        """`verdict, reason, score, related` (see `verdicts`) and the columns of `writes()`, same height.

        A column `failure` may be added, as to a measure.
        """


class Make(Step):
    """Writes new rows from rows."""

    kind = "make"
    effect: ClassVar[Literal["adds", "replaces"]] = "adds"
    recalls: ClassVar[bool] = False  # whether in a `repeat` it is told what was accepted before

    @abstractmethod
    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        """New rows, each with its parents, and the attempts that failed."""


VERDICT_SCHEMA: dict[str, pl.DataType] = {
    "verdict": pl.String(),
    "reason": pl.String(),
    "score": pl.Float64(),
    "related": pl.String(),
}


def verdicts(
    rejected: pl.Series | NDArray[np.bool_],
    reason: StrEnum | pl.Series,
    *,
    score: pl.Series | NDArray[np.float64] | None = None,
    related: pl.Series | None = None,
    verdict: Verdict = Verdict.REJECT,
) -> pl.DataFrame:
    """The frame that `decide` returns: `verdict` and `reason` where the mask is true, else keep.

    Args:
        rejected: bool per row.
        reason: one reason for all, or a string column (null where the row is kept).
        score: float per row, stored for kept rows as well.
        related: the id (or `run:id`, `file#locator`) of the row that explains the verdict.
        verdict: what a true in the mask means.
    """
    mask = pl.Series("mask", rejected, dtype=pl.Boolean)
    height = len(mask)

    def column(values: Any, dtype: pl.DataType) -> pl.Series:
        return (
            pl.Series(values, dtype=dtype) if values is not None else pl.Series([None] * height, dtype=dtype)
        )

    reasons = reason if isinstance(reason, pl.Series) else pl.Series([str(reason)] * height, dtype=pl.String)
    return pl.DataFrame({"mask": mask, "reason": reasons}).select(
        pl.when("mask").then(pl.lit(str(verdict))).otherwise(pl.lit(str(Verdict.KEEP))).alias("verdict"),
        pl.when("mask").then("reason").otherwise(None).alias("reason"),
        column(score, pl.Float64()).alias("score"),
        column(related, pl.String()).alias("related"),
    )


@dataclass(frozen=True)
class Bad:
    """An item of a source that could not be read: a row of `bad.parquet`.

    Attributes:
        place: `path:line`, then `#section` or `#turn`.
        cls: a short snake_case class, such as `broken_json`.
        message: what was wrong, with the value.
        excerpt: the first characters of the item.
    """

    place: str
    cls: str
    message: str
    excerpt: str = ""


@dataclass(frozen=True)
class Batch:
    """A piece of a source: rows and unreadable items, in the order of the source.

    Attributes:
        rows: `messages` and any of `alternatives, task, target, language, tools, extra`, plus `locator`
            (string, required), `key` (the source's own key, or null), `group` (string or null), `licence`
            (of the row alone; the source's where it is null).
        bad: unreadable items.
    """

    rows: pl.DataFrame
    bad: Sequence[Bad] = ()


class Source(BaseModel):
    """Reads raw material into rows. Frozen settings, like a step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    version: ClassVar[int] = 1
    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {}

    path: str | tuple[str, ...] = Field(description="file or glob, or a list; relative to the recipe")
    licence: str | None = Field(default=None, description="licence of the material; every row carries it")

    def paths(self) -> tuple[str, ...]:
        """The globs, as a tuple."""
        return (self.path,) if isinstance(self.path, str) else self.path

    def further_files(self, files: Sequence[Path], root: Path) -> Sequence[Path]:
        """Files that these ones name and that shape the rows too (images, the files of an index)."""
        return ()

    @abstractmethod
    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Batches of about 20,000 rows from these files (sorted; places are told relative to `root`)."""
