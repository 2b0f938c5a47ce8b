"""Writes to the store in groups: all that comes while one transaction runs makes up the next.

Who waits for `write` knows afterwards that its lines are on disk. So a reply is handed on only when no kill
can lose it, and a call is sent only when no kill can forget that it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from zhiling.llm.store import Awaited, Batch, ResponseStore, Sent, Settled, Slot, Spending

LINGER_S = 0.005
"""How long the first line waits for company: far less than any model takes, and a commit costs .4 ms."""

Value = TypeVar("Value")


class Journal:
    """The store as a coroutine sees it; SQLite works in one thread of its own."""

    def __init__(self, store: ResponseStore) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="zhiling-store")
        self._batch, self._waiting = Batch(), list[asyncio.Future[None]]()
        self._busy = False

    async def find(self, keys: Iterable[bytes]) -> dict[Slot, bytes]:
        """All stored replies of these requests."""
        wanted = list(keys)
        return await self._in_thread(lambda: self._store.find(wanted))

    async def spending(self, run: str) -> Spending:
        """What a run's calls came to so far."""
        return await self._in_thread(lambda: self._store.spending(run))

    async def awaited(self, keys: Iterable[bytes]) -> list[Awaited]:
        """Calls for these requests whose answers are awaited."""
        wanted = list(keys)
        return await self._in_thread(lambda: self._store.awaited(wanted))

    async def awaited_of(self, role: str) -> list[Awaited]:
        """Calls of a role whose answers are awaited."""
        return await self._in_thread(lambda: self._store.awaited_of(role))

    async def name_batch(self, role: str) -> str | None:
        """The file that new lines of a role belong to from now on; None where there are none."""
        return await self._in_thread(lambda: self._store.name_batch(role))

    async def within(self, work: Callable[[ResponseStore], Value]) -> Value:
        """What the store says or does, in its thread; behind all lines whose writing has begun."""
        return await self._in_thread(lambda: work(self._store))

    async def write(
        self,
        sent: Sent | None = None,
        settled: Settled | None = None,
        replies: Sequence[tuple[Slot, bytes]] = (),
        awaited: Awaited | None = None,
        answered: Awaited | None = None,
    ) -> None:
        """Returns when these lines are on disk.

        Raises:
            RunBusy: another process did not stop writing.
            StepFailed: the disk is full or not writable.
        """
        loop = asyncio.get_running_loop()
        if sent is not None:
            self._batch.sent.append(sent)
        if settled is not None:
            self._batch.settled.append(settled)
        if awaited is not None:
            self._batch.awaited.append(awaited)
        if answered is not None:
            self._batch.answered.append(answered)
        self._batch.replies.extend(replies)
        written = loop.create_future()
        self._waiting.append(written)
        if not self._busy:
            self._busy = True
            loop.call_later(LINGER_S, self._commit)
        await written

    def _commit(self) -> None:
        batch, waiting = self._batch, self._waiting
        self._batch, self._waiting = Batch(), []
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._store.commit, batch)
        done.add_done_callback(lambda finished: self._tell(finished, waiting))

    def _tell(self, finished: asyncio.Future[None], waiting: list[asyncio.Future[None]]) -> None:
        error = finished.exception()
        for each in waiting:
            if each.done():  # its waiter was cancelled
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)
        if self._waiting:
            self._commit()
        else:
            self._busy = False

    async def close(self) -> None:
        """Waits for what is being written, and closes the database."""
        await self._in_thread(self._store.close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
