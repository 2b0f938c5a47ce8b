"""The Ray engine: a step's batches as Ray tasks, here or on as many machines as the cluster has.

A task reads the columns of its rows from the run's Parquet parts itself, computes its step (and the steps
that may share the pass, see `ahead`) and returns the outcome; failing rows are put aside in the worker as
everywhere. The driver holds a bounded number of tasks in flight and takes the outcomes in order. On more than
one machine the project's folder must lie on a file system that all of them share.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from zhiling.errors import StepFailed, ZhilingError
from zhiling.pipeline.apply import Outcome, apply, joined
from zhiling.pipeline.engines.chain import Pass, keyed, run_chain
from zhiling.pipeline.engines.cluster import cluster
from zhiling.pipeline.engines.computed import Computed
from zhiling.pipeline.engines.engine import Link, Work
from zhiling.pipeline.engines.local import LocalEngine
from zhiling.pipeline.engines.shuffle import Linked, MeetsByKey, Numbers, Shuffle, answer_of
from zhiling.pipeline.store import writing
from zhiling.pipeline.table import RowFiles

_PIECE_ROWS = 50_000
_BUCKET_ROWS = 250_000
_SHARD_ROWS = 100_000
_TASKS_PER_CPU = 2
"""One at work and one waiting, so that no worker is idle while the driver stores."""


class RayEngine:
    """Computes in a Ray cluster that this process is connected to."""

    def __init__(self, ray: Any, cpus: int, piece_rows: int = _PIECE_ROWS) -> None:
        self._ray, self._cpus, self._piece_rows = ray, cpus, piece_rows
        self._window = max(2, _TASKS_PER_CPU * cpus)
        self._task = ray.remote(_compute)
        self._computed: dict[str, Computed] = {}

    def outcomes(self, work: Work, batches: Sequence[pl.DataFrame]) -> Generator[Outcome]:
        """The outcome of each batch, in the order of the batches."""
        if self._shuffles(work, batches):
            for batch in batches:
                yield self._shuffled(work, batch)
            return
        if work.link.step.scope == "table" or work.link.step.stays_here():
            yield from LocalEngine().outcomes(work, batches)
            return
        known = self._computed.pop(work.link.context.step_id, Computed())
        rests = [known.rest(batch) for batch in batches]
        fresh = self._passes(work, [rest for rest in rests if rest.height])
        try:
            for batch, rest in zip(batches, rests, strict=True):
                parts = [keyed(self._got(ref), batch) for ref in known.pieces(batch)]
                if rest.height:
                    parts.append(next(fresh).outcome)
                yield joined(parts)
        finally:
            fresh.close()

    def _shuffles(self, work: Work, batches: Sequence[pl.DataFrame]) -> bool:
        """Whether a table step can be cut by keys, and has more rows than one task takes."""
        step = work.link.step
        return (
            isinstance(step, MeetsByKey)
            and step.meets_by_key()
            and work.link.context.reference is None
            and any(batch.height > self._piece_rows for batch in batches)
        )

    def _shuffled(self, work: Work, batch: pl.DataFrame) -> Outcome:
        """A table step's outcome, cut by keys; see `shuffle`."""
        numbers = batch["n"].to_numpy().astype(np.int64)
        pieces = [
            numbers[start : start + self._piece_rows] for start in range(0, len(numbers), self._piece_rows)
        ]
        buckets = max(self._cpus, -(-len(numbers) // _BUCKET_ROWS))
        with _folder_in(work.files.folder) as folder:
            shuffle = Shuffle(work.link.step, work.files, folder, len(pieces), buckets)
            answers = self._answers(shuffle, pieces, int(numbers.max()) + 1)
        columns = ["id", *(name for name in work.link.step.reads() if "." in name)]
        rows = work.files.read(columns, numbers).with_columns(batch["key"])
        return apply(
            work.link.step, rows, work.link.context, lambda pending: answer_of(answers, pending["n"])
        )

    def _answers(self, shuffle: Shuffle, pieces: Sequence[Numbers], rows: int) -> list[pl.DataFrame]:
        call = self._ray.remote(_in_shuffle).remote
        shared = self._ray.put(shuffle)
        for _ in self._each(partial(call, shared, "spread", *piece) for piece in enumerate(pieces)):
            pass
        linked = Linked(rows)
        for pairs, crowd in self._each(partial(call, shared, "meet", b) for b in range(shuffle.buckets)):
            linked.add(pairs, crowd)
        met, shard = linked.shards(_SHARD_ROWS)
        shards = int(shard.max(initial=-1)) + 1
        bounds = np.searchsorted(met, [int(piece[0]) for piece in pieces] + [rows])
        routes = (
            partial(call, shared, "route", piece, met[low:high], shard[low:high], shards)
            for piece, (low, high) in enumerate(pairwise(bounds.tolist()))
        )
        answers = list(self._each(routes))
        return answers + list(self._each(partial(call, shared, "decide", b) for b in range(shards)))

    def _each(self, calls: Iterable[Callable[[], Any]]) -> Generator[Any]:
        for ref in self.in_order(calls):
            told = self._got(ref)
            if isinstance(told, ZhilingError):
                raise told
            yield told

    def _passes(self, work: Work, batches: Sequence[pl.DataFrame]) -> Generator[Pass]:
        """The first step's pass over each batch; the others' results stay in the cluster until asked for."""
        links = (work.link, *work.ahead()) if batches else (work.link,)
        shared = self._ray.put((work.files, links))
        task = self._task.options(num_returns=1 + len(links))
        calls = ((lambda batch=batch: task.remote(shared, batch.select("n", "key"))) for batch in batches)
        for refs in self.in_order(calls):
            told = self._got(refs[0])
            if isinstance(told, ZhilingError):
                raise told
            for link, numbers, ref in zip(links[1:], told[1:], refs[2:], strict=False):
                self._computed.setdefault(link.context.step_id, Computed()).add(numbers, ref)
            yield Pass(told[0], self._got(refs[1]))

    def in_order(self, calls: Iterable[Callable[[], Any]]) -> Generator[Any]:
        """What each call gave (the references of its task), in order, with a bounded number in flight."""
        waiting: deque[Any] = deque()
        try:
            for call in calls:
                waiting.append(call())
                if len(waiting) >= self._window:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for refs in waiting:
                self._ray.cancel(refs[0] if isinstance(refs, list) else refs)

    def _got(self, ref: Any) -> Any:
        try:
            return self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise StepFailed(
                f"a task failed: {type(cause).__name__}: {cause}",
                hint="no single row was to blame, or it would have been put aside: -v shows the traceback",
            ) from error
        except self._ray.exceptions.RayError as error:
            raise StepFailed(
                f"Ray lost a task: {str(error).splitlines()[0]}",
                hint="`zhiling run --engine ray` goes on; a worker that was killed may need more memory",
            ) from error


def _in_shuffle(shuffle: Shuffle, kind: str, *arguments: Any) -> Any:
    """In a worker: one task of a shuffle, or what was wrong."""
    try:
        return getattr(shuffle, kind)(*arguments)
    except ZhilingError as error:
        return error


@contextmanager
def _folder_in(run: Path) -> Generator[Path]:
    """A folder for the length of a shuffle, without what a killed one left."""
    folder = run / "shuffle"
    shutil.rmtree(folder, ignore_errors=True)
    with writing(folder):
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compute(shared: tuple[RowFiles, tuple[Link, ...]], batch: pl.DataFrame) -> list[Any]:
    """In a worker: which rows each step of the chain was given (or what was wrong), then the outcomes."""
    files, links = shared
    try:
        passes = run_chain(files, links, batch)
    except ZhilingError as error:
        return [error, *(None for _ in links)]
    missing = [None] * (len(links) - len(passes))
    return [[each.numbers for each in passes], *(each.outcome for each in passes), *missing]


@contextmanager
def ray_engine(address: str | None, piece_rows: int = _PIECE_ROWS) -> Generator[RayEngine]:
    """An engine on the cluster at `address`, or on one of its own on this machine that ends with it."""
    with cluster(address) as ray:
        yield RayEngine(ray, int(ray.cluster_resources().get("CPU", 1)), piece_rows)
