"""What an engine is: it computes a step's batches, wherever it likes, and gives the outcomes in order.

The runner alone numbers, stores, joins and counts. So an engine changes where the work is done and never
what comes of it: keys, parts and ledger lines are the same under each, and a run begun under one goes on
under another.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from zhiling.errors import MissingExtra, UnknownName, UsageError
from zhiling.pipeline.apply import Outcome
from zhiling.pipeline.step import Context, Step
from zhiling.pipeline.table import RowFiles

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Link:
    """A step with what it may know: all that `apply` takes beside rows."""

    step: Step
    context: Context


@dataclass(frozen=True)
class Work:
    """One step over its rows.

    Attributes:
        link: the step.
        files: where its rows lie.
        ahead: gives the steps that the recipe names next and that could be computed in the same pass, as
            they need no more than these rows and what the steps before them measure (see `ahead`). An
            engine may, and need not.
    """

    link: Link
    files: RowFiles
    ahead: Callable[[], tuple[Link, ...]] = tuple


class Engine(Protocol):
    """Computes batches; see the module."""

    def outcomes(self, work: Work, batches: Sequence[pl.DataFrame]) -> Generator[Outcome]:
        """The outcome of each batch, in the order of the batches.

        Args:
            work: the step.
            batches: `n`, `id` and `key` of the rows of each; what the step reads lies in `work.files`.
        """
        ...


def columns_of(step: Step) -> list[str]:
    """The columns that a step's batches are read with, beside `n` and `key`."""
    group = ("group",) if step.scope == "group" else ()
    return list(dict.fromkeys(("id", *step.reads(), *group)))


def read_batch(files: RowFiles, step: Step, batch: pl.DataFrame) -> pl.DataFrame:
    """The rows of a batch with their keys, as `apply` takes them."""
    frame = files.read(columns_of(step), batch["n"].to_numpy())
    return frame.with_columns(batch["key"])


def check_engine(name: str, address: str | None = None) -> None:
    """Tells what is wrong with an engine's name or address before any work begins.

    Raises:
        UnknownName: no such engine.
        UsageError: an address for an engine that has none.
        MissingExtra: the engine's library is not installed.
    """
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    if name == "local" and address:
        raise UsageError(f"--address {address!r} is for a cluster", hint="--engine ray --address HOST:PORT")
    if name == "ray" and importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "ray")


@contextmanager
def open_engine(name: str = "local", address: str | None = None) -> Generator[Engine]:
    """The engine of this name, ready for work; closed behind the `with`.

    Args:
        name: local or ray.
        address: of a Ray cluster that is there already (`auto`: the one of this machine).

    Raises:
        MissingInput: no cluster answers; and what `check_engine` raises.
    """
    check_engine(name, address)
    if name == "ray":
        from zhiling.pipeline.engines.ray import ray_engine

        with ray_engine(address) as engine:
            yield engine
        return
    from zhiling.pipeline.engines.local import LocalEngine

    yield LocalEngine()
