"""The Ray engine: a step's batches as Ray tasks, here or on as many machines as the cluster has.

A task reads the columns of its rows from the run's Parquet parts itself, computes its step (and the steps
that may share the pass, see `ahead`) and returns the outcome; failing rows are put aside in the worker as
everywhere. The driver holds a bounded number of tasks in flight and takes the outcomes in order. On more than
one machine the project's folder must lie on a file system that all of them share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl

from zhiling.errors import StepFailed, ZhilingError
from zhiling.pipeline.apply import Outcome, joined
from zhiling.pipeline.engines.chain import Pass, keyed, run_chain
from zhiling.pipeline.engines.cluster import cluster
from zhiling.pipeline.engines.computed import Computed
from zhiling.pipeline.engines.engine import Link, Work
from zhiling.pipeline.engines.local import LocalEngine
from zhiling.pipeline.table import RowFiles

_TASKS_PER_CPU = 2
"""One at work and one waiting, so that no worker is idle while the driver stores."""


class RayEngine:
    """Computes in a Ray cluster that this process is connected to."""

    def __init__(self, ray: Any, cpus: int) -> None:
        self._ray = ray
        self._window = max(2, _TASKS_PER_CPU * cpus)
        self._task = ray.remote(_compute)
        self._computed: dict[str, Computed] = {}

    def outcomes(self, work: Work, batches: Sequence[pl.DataFrame]) -> Generator[Outcome]:
        """The outcome of each batch, in the order of the batches."""
        if self._stays_here(work):
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

    def _stays_here(self, work: Work) -> bool:
        """Whether the driver computes it: what sees the table, and what reads the project's database."""
        step, context = work.link.step, work.link.context
        return step.scope == "table" or bool(step.outside(context.root, context.run))

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
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            raise StepFailed(
                f"Ray lost a task: {str(error).splitlines()[0]}",
                hint="`zhiling run --engine ray` goes on; a worker that was killed may need more memory",
            ) from error


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
def ray_engine(address: str | None) -> Generator[RayEngine]:
    """An engine on the cluster at `address`, or on one of its own on this machine that ends with it."""
    with cluster(address) as ray:
        yield RayEngine(ray, int(ray.cluster_resources().get("CPU", 1)))
