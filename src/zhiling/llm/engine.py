"""The language models of a recipe, for code that is not asynchronous.

    with Engine({"teacher": role}, Path("zhiling.sqlite"), run="support-1", limits=Limits(usd=5)) as engine:
        outcomes = engine.ask("teacher", [Ask(ChatRequest(user("What is a lock?")))])

Several threads may ask at once; one event loop in a thread of its own does all the talking.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from zhiling.errors import Interrupted, UnknownName, ZhilingError
from zhiling.llm.batch_file import FOLDER, BatchSender
from zhiling.llm.batch_post import PostingSender
from zhiling.llm.batch_server import BatchServer
from zhiling.llm.client import Client, Vector
from zhiling.llm.endpoints import Endpoint, Endpoints
from zhiling.llm.failures import CallFailure
from zhiling.llm.journal import Journal
from zhiling.llm.ledger import Ledger
from zhiling.llm.limits import Deadline, Limits, Meter
from zhiling.llm.local import LocalTransport
from zhiling.llm.location import content_hash, model_folder
from zhiling.llm.pace import Backoff, Pace
from zhiling.llm.role import Role
from zhiling.llm.sender import Sender
from zhiling.llm.store import ResponseStore, Spending
from zhiling.llm.transport import HttpTransport, Transport
from zhiling.llm.verdict import Ask, Outcome

Value = TypeVar("Value")
_LOCAL_QUEUE = 4
"""Calls that wait for a local model: enough that it never waits for the store."""
_LOOK_S = 0.1
"""How often a waiting thread looks up: handlers that libraries install let Ctrl-C not wake it otherwise."""
_LOOKS_PER_WORD = 10
_GRACE_S = 10.0
"""How long Ctrl-C waits for answers that are on their way: they are paid for."""


class Engine:
    """Roles behind one store, one ledger and one set of limits.

    Args:
        roles: name → role, as in the recipe's `models`.
        database: the project's `zhiling.sqlite`; relative paths of local models start beside it.
        run: whose limits count; calls of earlier attempts at the same run count too.
        limits: the most that the run may take.
        deadline: when its minutes are over; unset: counted from now.
        seed: of the jitter between tries; unset in earnest.
    """

    def __init__(
        self, roles: Mapping[str, Role], database: Path, *, run: str = "", limits: Limits | None = None,
        deadline: Deadline | None = None, seed: int | None = None,
    ) -> None:  # fmt: skip
        self._roles, self._run, self._limits, self._seed = dict(roles), run, limits or Limits(), seed
        self._deadline = deadline or Deadline(self._limits.minutes)
        self._keys = {name: role.key() for name, role in self._roles.items()}
        self._store, self._root = ResponseStore(database), database.parent
        self._clients: dict[str, Client] = {}
        self._transports: list[Transport] = []
        self._progress: Callable[[int, float], None] | None = None
        self._paces: dict[tuple[str, int | None, int | None], Pace] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="zhiling-models", daemon=True)
        self._thread.start()
        with contextlib.ExitStack() as undo:
            undo.callback(self._end_loop)
            self._journal, self._meter, self._ledger, self._left = self._call(self._open())
            undo.pop_all()

    def watch(self, progress: Callable[[int, float], None]) -> None:
        """Tells, about once a second while somebody waits, how many calls were sent and what is spent.

        Args:
            progress: is given calls and US dollars, with what is set aside for calls on their way.
        """
        self._progress = progress

    def ask(self, role: str, asks: Sequence[Ask]) -> list[Outcome]:
        """A reply or a typed failure for each ask, in their order; stored ones are not sent.

        Raises:
            UnknownName: no such role.
            BudgetReached: a limit of the run; what came is stored, and the next run goes on from there.
            ZhilingError: what would fail every call, such as a refused key.
        """
        return self._call(self._client(role).replies(asks))

    def vectors(
        self, role: str, texts: Sequence[str], *, dimensions: int | None = None
    ) -> list[Vector | CallFailure]:
        """The vector of each text, float32 (dimension,), or why there is none.

        Raises:
            ZhilingError: as `ask`.
        """
        return self._call(self._client(role).vectors(texts, dimensions=dimensions))

    def spending(self) -> Spending:
        """What the calls of this run came to, earlier attempts included."""
        return self._call(self._journal.spending(self._run))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes connections and the store."""
        if self._loop.is_closed():
            return
        self._call(self._shut())
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> tuple[Journal, Meter, Ledger, set[str]]:
        journal = Journal(self._store)
        meter = Meter(self._limits, await journal.spending(self._run), self._deadline)
        left = await journal.within(lambda store: store.roles_with_servers())
        return journal, meter, Ledger(self._run, journal, meter), left

    def _client(self, name: str) -> Client:
        if name not in self._roles:
            raise UnknownName("role of models", name, self._roles)
        return self._call(self._connected(name))

    async def _connected(self, name: str) -> Client:
        """Made in the loop's thread, so that two threads never make two."""
        if name in self._clients:
            return self._clients[name]
        role = self._roles[name]
        if role.path is None:
            content, transport = "", HttpTransport(role, self._keys[name])
            places = [self._endpoint(url, role) for url in role.endpoint]
        else:
            folder = model_folder(role.path, self._root)
            content, transport = content_hash(folder), LocalTransport(folder, role.device)
            places = [Endpoint(str(folder), _LOCAL_QUEUE, Pace(), time.monotonic)]
        self._transports.append(transport)
        endpoints = Endpoints(places, role.outage_s)
        posts = role.batch_poll_s or (role.path is None and not role.batch and name in self._left)
        made = PostingSender if posts else BatchSender if role.batch else Sender
        sender = made(name, role, endpoints, transport, self._ledger, Backoff(self._seed))
        if isinstance(sender, BatchSender):
            sender.await_in(self._journal, self._root / FOLDER)
        elif isinstance(sender, PostingSender) and isinstance(transport, HttpTransport):
            server = BatchServer(transport, role, endpoints, self._keys[name])
            sender.post_by(server, self._journal, self._root / FOLDER)
        self._clients[name] = Client(sender, role.identity(name, content), self._journal)
        return self._clients[name]

    def _endpoint(self, url: str, role: Role) -> Endpoint:
        """Roles that ask the same host at the same pace share it."""
        key = (urlsplit(url).netloc, role.rpm, role.tpm)
        pace = self._paces.setdefault(key, Pace(role.rpm, role.tpm))
        return Endpoint(url, role.parallel, pace, time.monotonic)

    async def _shut(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for transport in self._transports:
            await transport.close()
        await self._journal.close()

    def _call(self, work: Coroutine[Any, Any, Value]) -> Value:
        """What a coroutine gives; Ctrl-C first lets answers come that are on their way."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            looks = 0
            while not wait([future], timeout=_LOOK_S).done:
                looks += 1
                if self._progress is not None and looks % _LOOKS_PER_WORD == 0:
                    self._progress(self._meter.calls, self._meter.usd)
            return future.result()
        except KeyboardInterrupt:
            for client in self._clients.values():
                self._loop.call_soon_threadsafe(client.stop, _interrupted())
            with contextlib.suppress(TimeoutError, ZhilingError):
                future.result(_GRACE_S)
            future.cancel()
            raise


def _interrupted() -> Interrupted:
    return Interrupted("interrupted", hint="run again: what is stored is not sent again")
