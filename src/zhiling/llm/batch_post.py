"""Batch files that are handed to a server and fetched again, while the run waits: `batch_poll_s` of a role.

    calls noted → file named → uploaded → batch created → ended → answers stored, calls settled

Each arrow is written down before the next begins, so a run that is killed goes on at the same one: a call
whose file was uploaded waits for that file's batch and is not sent again. A batch is created once: when a
kill leaves open whether it was, the server's list tells. Money of a call is set aside once, when it is noted.

What this does not cover: a server whose list does not show a batch at once that it has just created.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zhiling.errors import AwaitingBatch, StepFailed, UsageError, ZhilingError
from zhiling.llm.answers import Fault
from zhiling.llm.batch_answers import line_without
from zhiling.llm.batch_file import FOLDER, noted, request_line, runs
from zhiling.llm.batch_server import BatchServer, Refused, Told, Unlisted
from zhiling.llm.calls import Call, with_samples
from zhiling.llm.failures import CallFailure, FailureClass, Stop
from zhiling.llm.journal import Journal
from zhiling.llm.ledger import Ticket
from zhiling.llm.role import Role
from zhiling.llm.sender import Sender
from zhiling.llm.store import Awaited, Posted, ResponseStore, Slot
from zhiling.llm.transport import Answer
from zhiling.llm.wire import EmbeddingRequest

LINGER_S = 0.25
"""A file is closed when no call came for so long: those of one step come far closer to each other."""
MOST_LINES, MOST_BYTES = 50_000, 190 * 10**6
"""What servers take in one file."""
MOST_WAITING = 16_384
_LOOK_S = 0.2


class PostingSender(Sender):
    """Sends calls in batch files; vectors go out one by one."""

    def post_by(self, server: BatchServer, journal: Journal, folder: Path) -> None:
        """By whom, where calls are noted, and where files are written."""
        self._server, self._journal, self._folder = server, journal, folder
        self._waiting: dict[str, asyncio.Future[Fault | None]] = {}
        self._tickets: dict[str, Ticket] = {}
        self._carried: dict[str, asyncio.Task[None]] = {}
        self._inside: dict[str, dict[str, Ticket | None]] = {}
        self._fresh: dict[str, Awaited] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._resumed: asyncio.Task[None] | None = None

    @property
    def workers(self) -> int:
        """All calls of a file wait for it together; one that waits takes some 25 KB."""
        return MOST_WAITING

    async def send(self, call: Call) -> list[bytes] | CallFailure:
        """As `Sender.send`; waits until a batch has answered the call.

        Raises:
            AwaitingBatch: it stands in a file that was written for people.
        """
        if call.path == EmbeddingRequest.path:
            return await super().send(call)
        if self._resumed is None:
            self._resumed = asyncio.create_task(self._resume())
        await asyncio.shield(self._resumed)
        if self.role.batch_poll_s is None:
            return await self._send_rest(call)
        tries, held = _Tries(self.role), dict[Slot, bytes]()
        while missing := [slot for slot in call.slots if slot not in held]:
            lines = await self._noted(call, missing)
            faults = [fault for fault in await asyncio.gather(*map(self._outcome, lines)) if fault]
            held = await self._journal.find({slot.key for slot in call.slots})
            if faults and not tries.go_on(faults[0]):
                return faults[0].failure
            if faults and faults[0].failure.cls is FailureClass.RATE_LIMIT:
                await self.endpoints.pause(self.role.batch_poll_s or 0.0)
        return [held[slot] for slot in call.slots]

    async def _send_rest(self, call: Call) -> list[bytes] | CallFailure:
        """Where no more is handed over: waits for what a server has, and sends only the rest directly."""
        posted = await self._journal.within(lambda store: store.posted())
        known = await self._journal.awaited({slot.key for slot in call.slots})
        there = [line for line in known if line.file in posted and not _slots(line).isdisjoint(call.slots)]
        await asyncio.gather(*map(self._outcome, there))
        held = await self._journal.find({slot.key for slot in call.slots})
        for slots in runs([slot for slot in call.slots if slot not in held]):
            found = await super().send(with_samples(call, slots))
            if isinstance(found, CallFailure):
                return found
            held.update(zip(slots, found, strict=True))
        return [held[slot] for slot in call.slots]

    async def _noted(self, call: Call, missing: Sequence[Slot]) -> list[Awaited]:
        """The lines that will bring these replies: those that are awaited already, and new ones."""
        known = await self._journal.awaited({slot.key for slot in missing})
        lines = [line for line in known if not _slots(line).isdisjoint(missing)]
        covered = {slot for line in lines for slot in _slots(line)}
        new = runs([slot for slot in missing if slot not in covered])
        return [*lines, *[await self._note(with_samples(call, slots)) for slots in new]]

    async def _note(self, call: Call) -> Awaited:
        line = noted(self.name, call)
        ticket = await self._ledger.open(self.name, self.role, call, line)
        awaited = line(*ticket.line)
        self._tickets[awaited.custom_id] = ticket
        return awaited

    async def _outcome(self, line: Awaited) -> Fault | None:
        """What kept a line from being answered; None when that, or its replies, are in the store."""
        if self.stopped is not None:
            raise Stop(self.stopped)
        name = line.custom_id
        if name not in self._waiting:
            self._waiting[name] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[name]
        if not line.file:
            self._fresh[name] = line
            self._gathering = self._gathering or self._watched(self._gather())
        elif await self._journal.within(lambda store: store.awaited_as(name)) == line:
            self._waits_in(line.file, name)
        elif not waiting.done():  # it was settled since it was looked up
            self._answer(name, None)
        return await asyncio.shield(waiting)

    def _waits_in(self, file: str, name: str) -> None:
        """Somebody waits for this line of a file."""
        self._inside.setdefault(file, {})[name] = self._tickets.get(name)
        self._carry_on(file)

    def _answer(self, name: str, fault: Fault | None) -> None:
        waiting = self._waiting.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(fault)

    # ---- what earlier attempts left ----

    async def _resume(self) -> None:
        """Frees calls of this run that were noted and never uploaded, and takes up its files."""
        unsent = list[Ticket]()
        async with self._alone():
            posted = await self._journal.within(lambda store: store.posted())
            aside = await self._journal.within(lambda store: store.set_aside(self.name))
            for line in await self._journal.awaited_of(self.name):
                if line.run != self._ledger.run or (line.file and line.file not in posted):
                    continue
                ticket = self._ledger.resume(line, aside[line.custom_id])
                if line.file and posted[line.file].id is not None:
                    self._tickets[line.custom_id] = ticket
                    self._waits_in(line.file, line.custom_id)
                else:
                    unsent.append(ticket)
            await asyncio.gather(*map(self._ledger.free, unsent))

    # ---- from calls to files ----

    async def _gather(self) -> None:
        seen = 0
        while len(self._fresh) > seen:
            seen = len(self._fresh)
            await self.endpoints.pause(LINGER_S)
        lines, self._fresh, self._gathering = list(self._fresh.values()), {}, None
        for piece in _cut(lines):
            served = self.endpoints.endpoints
            place = served[len(self._carried) % len(served)].url
            post = partial(ResponseStore.post, role=self.name, endpoint=place, lines=piece)
            stands = await self._journal.within(post)
            for line in piece:  # another process may have taken it
                if line.custom_id in stands:
                    self._waits_in(stands[line.custom_id], line.custom_id)
                else:
                    self._answer(line.custom_id, None)

    def _carry_on(self, file: str) -> None:
        if file not in self._carried:
            self._carried[file] = self._watched(self._carry(file))

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An error of one file stops the role: whoever waits for any line is told."""
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            return
        if isinstance(error, Stop):
            self.stop(error.error)
        elif isinstance(error, ZhilingError):
            self.stop(error)
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if each.done():
                continue
            if task.cancelled():
                each.cancel()
            else:
                each.set_exception(error)

    # ---- one file ----

    async def _carry(self, file: str) -> None:
        """From wherever a file is to the end of all its lines."""
        try:
            async with self._alone():
                posted = await self._handed_over(file)
        except Refused as refused:
            fault = Fault(refused.failure, again=False, charged=isinstance(refused, Unlisted))
            await self._settle([(line, fault) for line in await self._lines_of(file)])
            raise refused.stop() from None
        if posted is not None:
            left = await self._read(posted)
            lines = enumerate(await self._lines_of(file), 1)  # a file that was refused still has them all
            await self._settle([(line, left(number)) for number, line in lines])
        await self._closed_elsewhere(file)

    async def _closed_elsewhere(self, file: str) -> None:
        """What is left of a file that has ended: another process stored the answers."""
        for name, ticket in self._inside.pop(file, {}).items():
            if ticket is not None and self._tickets.get(name) is ticket:
                await self._ledger.recount(self._tickets.pop(name))
            self._answer(name, None)

    async def _read(self, posted: Posted) -> Callable[[int], Answer | Fault]:
        """Stores all answers of a file when its batch has ended; by number, what lines met that have none."""
        place = posted.endpoint
        try:
            ended = await self._server.ended(place, posted.batch or "")
            for name in ("output_file_id", "error_file_id"):
                if ended.get(name):
                    await self._server.answers(place, str(ended[name]), partial(self._take, posted.file))
        except Refused as refused:  # what a server forgot may have been worked on
            failure = CallFailure(FailureClass.SERVER, refused.failure.message, place)
            return lambda _: Fault(failure, again=True, charged=True)
        return lambda number: line_without(ended, number, place)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Of several processes one hands over files or takes lines out of them."""
        self._folder.mkdir(exist_ok=True)
        lock = FileLock(self._folder / ".lock")
        while not lock.is_locked:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                await self.endpoints.pause(_LOOK_S)
        try:
            yield
        finally:
            lock.release()

    async def _handed_over(self, file: str) -> Posted | None:
        """The file with its batch, made now if it was not yet; None where none of its calls is awaited."""
        lines = await self._lines_of(file)
        posted = (await self._journal.within(lambda store: store.posted())).get(file)
        if posted is None:
            raise Stop(_for_people(file))
        if not lines:
            return None
        urls = [each.url for each in self.endpoints.endpoints]
        if posted.endpoint not in urls:
            if posted.id is not None:
                raise Stop(_elsewhere(posted, self.name))
            posted = posted._replace(endpoint=urls[0])
        place, fresh = posted.endpoint, posted.id is None
        if posted.id is None:
            content = b"\n".join([*map(request_line, lines), b""])
            self._write(file, content)
            posted = posted._replace(id=await self._server.upload(place, file, content))
            await self._journal.within(lambda store, now=posted: store.note_posted(now))
        if posted.batch is None:
            batch = await self._server.create(place, posted.id or "", lines[0].path, fresh=fresh)
            posted = posted._replace(batch=batch)
            await self._journal.within(lambda store, now=posted: store.note_posted(now))
        return posted

    def _write(self, file: str, content: bytes) -> None:
        try:
            (self._folder / file).write_bytes(content)
        except OSError as error:
            hint = "make room or give the rights, then run again"
            raise StepFailed(f"cannot be written ({error})", place=f"{FOLDER}/{file}", hint=hint) from None

    async def _lines_of(self, file: str) -> list[Awaited]:
        return await self._journal.within(lambda store: store.awaited_in(self.name, file))

    # ---- from answers to replies ----

    async def _take(self, file: str, told: Told) -> None:
        """Stores answers; one that nobody awaits in this file was stored before."""
        if not told:
            return
        lines = await self._journal.within(lambda store: {name: store.awaited_as(name) for name, _ in told})
        await self._settle(
            [(line, came) for name, came in told if (line := lines[name]) is not None and line.file == file]
        )

    async def _settle(self, told: Sequence[tuple[Awaited, Answer | Fault]]) -> None:
        missing = [line for line, _ in told if line.custom_id not in self._tickets]
        aside = await self._journal.within(lambda store: store.set_aside(self.name)) if missing else {}
        once = {line.custom_id: (line, came) for line, came in told}
        works = list[Coroutine[Any, Any, None]]()
        for name, (line, came) in once.items():
            ticket = self._tickets.pop(name, None)
            if ticket is None and name in aside:
                ticket = self._ledger.resume(line, aside[name])
            if ticket is not None:  # else another process has just stored it
                works.append(self._settle_one(line, came, ticket))
        await asyncio.gather(*works)

    async def _settle_one(self, line: Awaited, came: Answer | Fault, ticket: Ticket) -> None:
        name = line.custom_id
        most = ticket.most
        call = Call(line.path, b"", tuple(sorted(_slots(line))), most.prompt, most.completion)
        try:
            found = came if isinstance(came, Fault) else self._judged(self.endpoints.endpoints[0], call, came)
        except Stop:
            await self._ledger.free(ticket)
            raise
        await self._account(call, ticket, found)
        fault = found if isinstance(found, Fault) else None
        self.endpoints.answered = self.endpoints.answered or fault is None
        self._answer(name, fault)


class _Tries:
    """How often one call may stand in a batch: `retries` after the first, and while servers are full."""

    def __init__(self, role: Role) -> None:
        self._left, self._patience_s = role.retries, role.patience_s
        self._refused_s: float | None = None

    def go_on(self, fault: Fault) -> bool:
        """Whether there is another try after this fault."""
        if not fault.again:
            return False
        if fault.failure.cls is FailureClass.RATE_LIMIT:
            now = time.monotonic()
            self._refused_s = self._refused_s or now
            return now - self._refused_s <= self._patience_s
        self._left -= 1
        return self._left >= 0


def _slots(line: Awaited) -> set[Slot]:
    return {Slot(line.key, sample, line.ask) for sample in range(line.first, line.first + line.samples)}


def _cut(lines: Collection[Awaited]) -> Iterator[list[Awaited]]:
    """Lines of one kind of call, as many as fit into a file."""
    for path in sorted({line.path for line in lines}):
        piece, size = list[Awaited](), 0
        for line in lines:
            if line.path != path:
                continue
            more = len(line.body) + 200
            if piece and (len(piece) == MOST_LINES or size + more > MOST_BYTES):
                yield piece
                piece, size = [], 0
            piece.append(line)
            size += more
        if piece:
            yield piece


def _for_people(file: str) -> AwaitingBatch:
    return AwaitingBatch(
        f"requests await their answers in {FOLDER}/{file}, which was not written for a server",
        hint="have it answered, `zhiling batch ANSWERS`, then `zhiling run`",
    )


def _elsewhere(posted: Posted, role: str) -> UsageError:
    return UsageError(
        f"{FOLDER}/{posted.file} is with {posted.endpoint}, which is no endpoint of role {role!r}",
        hint="name that endpoint until its batches have ended",
    )
