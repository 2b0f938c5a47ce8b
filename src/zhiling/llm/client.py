"""Asks a model: what is stored is read, all else is sent once, and every reply is stored before it is told.

    asks = [Ask(ChatRequest(user("What is a lock?")))]
    outcomes = await client.replies(asks)        # a Reply or a CallFailure each, in the order of the asks

Of one request only the samples that are missing are sent. A reply that is no JSON where JSON was asked for,
that the caller's own check refuses, or that is empty, is asked for once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from zhiling.errors import BudgetReached, ZhilingError
from zhiling.llm.calls import Call, asked_body, most_prompt_tokens, samples_per_call, sampling_call
from zhiling.llm.failures import ASKED_AGAIN, CallFailure, FailureClass, Stop
from zhiling.llm.journal import Journal
from zhiling.llm.reply import read_vector
from zhiling.llm.sender import Sender
from zhiling.llm.store import Slot, store_key
from zhiling.llm.verdict import Ask, Outcome, judged
from zhiling.llm.wire import EmbeddingRequest, Json, Request
from zhiling.pipeline.fingerprint import canonical

Work = TypeVar("Work")
Vector = NDArray[np.float32]
_TEXTS_PER_CALL = 64


class Job:
    """All asks of one batch that stand for the same request.

    Attributes:
        key: the request's key in the store.
        body: what is asked, without the number of samples.
        attempt: see `Ask`.
        places: sample → the places of its asks in the batch.
        next: sample without an outcome → which ask of it is sent next.
        claimed: whether this batch is the one that may send it.
    """

    def __init__(self, request: Request, key: bytes, body: Json, most_prompt: int, attempt: int) -> None:
        self.request, self.key, self.body, self.attempt = request, key, body, attempt
        self.most_prompt = most_prompt
        self.places: dict[int, list[int]] = {}
        self.next: dict[int, int] = {}
        self.claimed = False


class Client:
    """One role of a recipe, ready to be asked.

    Args:
        sender: what sends calls of the role.
        identity: the hash of what shapes the role's replies.
        journal: the store.
    """

    def __init__(self, sender: Sender, identity: str, journal: Journal) -> None:
        self._sender, self._role, self._identity, self._journal = sender, sender.role, identity, journal
        self._active: dict[bytes, asyncio.Event] = {}
        self._embedding = asyncio.Lock()

    def stop(self, error: ZhilingError) -> None:
        """Begins no further call; those in flight end and are stored."""
        self._sender.stop(error)

    async def replies(self, asks: Sequence[Ask]) -> list[Outcome]:
        """One outcome an ask, in their order.

        Raises:
            BudgetReached: a limit; replies that came are stored.
            AwaitingBatch: some stand in a batch file for people to have answered.
            ZhilingError: what would fail every call (key, model, address), or the store itself.
        """
        jobs = self._jobs(asks)
        mine = [job for job in jobs if self._claim(job)]
        theirs = [job for job in jobs if not job.claimed]  # last, so that two batches never wait in a ring
        outcomes: list[Outcome | None] = [None] * len(asks)
        try:
            held = await self._journal.find(job.key for job in jobs)
            waiting = [job for job in [*mine, *theirs] if not self._answered(job, asks, held, outcomes)]
            try:
                await self._drive(waiting, lambda job: self._run(job, asks, held, outcomes))
            except BudgetReached:
                await self._sender.finish()  # what was noted within the limits becomes a file all the same
                raise
            await self._sender.finish()
        finally:
            for job in jobs:
                self._let_go(job)
        return cast(list[Outcome], outcomes)

    async def vectors(
        self, texts: Sequence[str], *, dimensions: int | None = None
    ) -> list[Vector | CallFailure]:
        """The vector of each text, float32 (dimension,); equal texts are sent once.

        Raises:
            ZhilingError: as `replies`.
        """
        async with self._embedding:
            return await self._vectors(texts, dimensions)

    async def _vectors(self, texts: Sequence[str], dimensions: int | None) -> list[Vector | CallFailure]:
        slots = {text: self._text_slot(text, dimensions) for text in dict.fromkeys(texts)}
        held = await self._journal.find(slot.key for slot in slots.values())
        found: dict[str, Vector | CallFailure] = {
            text: read_vector(held[slot]) for text, slot in slots.items() if slot in held
        }
        missing = [text for text in slots if text not in found]
        chunks = [missing[at : at + _TEXTS_PER_CALL] for at in range(0, len(missing), _TEXTS_PER_CALL)]

        async def embed(chunk: Sequence[str]) -> None:
            answer = await self._sender.send(self._text_call(chunk, slots, dimensions))
            if not isinstance(answer, CallFailure):
                found.update((text, read_vector(each)) for text, each in zip(chunk, answer, strict=True))
            elif answer.cls is FailureClass.REJECTED and len(chunk) > 1:  # one bad text fails alone
                middle = len(chunk) // 2
                await embed(chunk[:middle])
                await embed(chunk[middle:])
            else:
                found.update(dict.fromkeys(chunk, answer))

        await self._drive(chunks, embed)
        return [found[text] for text in texts]

    # ---- replies ----

    def _jobs(self, asks: Sequence[Ask]) -> list[Job]:
        """Asks grouped by what is really sent."""
        made: dict[tuple[bytes, int], Job] = {}
        seen: dict[int, tuple[bytes, Json, int]] = {}  # by object: samples of one request share it
        for place, ask in enumerate(asks):
            known = seen.get(id(ask.request))
            if known is None:
                known = seen[id(ask.request)] = self._prepared(ask.request)
            key, body, most = known
            job = made.get((key, ask.attempt))
            if job is None:
                job = made[key, ask.attempt] = Job(ask.request, key, body, most, ask.attempt)
            job.places.setdefault(ask.sample, []).append(place)
        return list(made.values())

    def _prepared(self, request: Request) -> tuple[bytes, Json, int]:
        body = asked_body(self._role, request.body())
        encoded = canonical(body)
        most = most_prompt_tokens(self._role, request, encoded)
        return store_key(self._identity, request.path, encoded), body, most

    async def _run(
        self, job: Job, asks: Sequence[Ask], held: dict[Slot, bytes], outcomes: list[Outcome | None]
    ) -> None:
        """Sends what is missing until every place of the job has an outcome."""
        if not job.claimed:
            while not self._claim(job):
                await self._active[job.key].wait()
            held |= await self._journal.find([job.key])
        fresh: set[Slot] = set()
        while not self._answered(job, asks, held, outcomes, fresh):
            await self._send_missing(job, held, outcomes, fresh)
        self._let_go(job)

    def _claim(self, job: Job) -> bool:
        """Whether nobody else is asking the same; then nobody else will until `_let_go`."""
        if job.key in self._active:
            return False
        self._active[job.key] = asyncio.Event()
        job.claimed = True
        return True

    def _let_go(self, job: Job) -> None:
        if job.claimed:
            job.claimed = False
            self._active.pop(job.key).set()

    async def _send_missing(
        self, job: Job, held: dict[Slot, bytes], outcomes: list[Outcome | None], fresh: set[Slot]
    ) -> None:
        """One call for the first missing replies."""
        missing = [Slot(job.key, sample, number) for sample, number in job.next.items()]
        chosen = sorted(missing, key=lambda slot: slot.ask)
        same_ask = [slot for slot in chosen if slot.ask == chosen[0].ask]
        slots = same_ask[: samples_per_call(self._role, job.body)]
        answer = await self._sender.send(sampling_call(self._role, job.body, slots, job.most_prompt))
        if isinstance(answer, CallFailure):
            for slot in slots:
                for place in job.places[slot.sample]:
                    outcomes[place] = outcomes[place] or answer
        else:
            held.update(zip(slots, answer, strict=True))
            fresh.update(slots)

    def _answered(
        self, job: Job, asks: Sequence[Ask], held: dict[Slot, bytes], outcomes: list[Outcome | None],
        fresh: set[Slot] | None = None,
    ) -> bool:  # fmt: skip
        """Whether every place of the job has its outcome, after judging all replies that are held."""
        job.next.clear()
        for sample, places in job.places.items():
            for place in places:
                if outcomes[place] is not None:
                    continue
                found = _verdict(Slot(job.key, sample, 0), asks[place], held, fresh or ())
                if isinstance(found, int):
                    job.next[sample] = min(found, job.next.get(sample, found))
                else:
                    outcomes[place] = found
        return not job.next

    # ---- vectors ----

    def _text_slot(self, text: str, dimensions: int | None) -> Slot:
        body = canonical(asked_body(self._role, EmbeddingRequest((text,), dimensions).body()))
        return Slot(store_key(self._identity, EmbeddingRequest.path, body), 0, 0)

    def _text_call(self, chunk: Sequence[str], slots: dict[str, Slot], dimensions: int | None) -> Call:
        body = canonical(asked_body(self._role, EmbeddingRequest(tuple(chunk), dimensions).body()))
        return Call(EmbeddingRequest.path, body, tuple(slots[text] for text in chunk), len(body), 0)

    # ---- many at once ----

    async def _drive(self, jobs: Iterable[Work], run: Callable[[Work], Awaitable[None]]) -> None:
        """Runs all jobs, many at once; after the first error none is begun, but those in flight end."""
        todo = list(jobs)
        queue = iter(todo)

        async def work() -> None:
            for job in queue:
                if self._sender.stopped is not None:
                    return
                try:
                    await run(job)
                except Stop as stop:
                    self._sender.stop(stop.error)
                except ZhilingError as error:
                    self._sender.stop(error)

        await asyncio.gather(*(work() for _ in range(min(self._sender.workers, len(todo)))))
        if self._sender.stopped is not None:
            raise self._sender.stopped


def _verdict(slot: Slot, ask: Ask, held: Mapping[Slot, bytes], fresh: Collection[Slot]) -> Outcome | int:
    """The first good reply among those that are held, else the last failure, or which ask comes next.

    An attempt is an ask with an even number; the odd one behind it is the second look at a reply that was
    malformed. An attempt that brought a failure is not repeated, but by the next attempt, where there is one.
    """
    outcome: Outcome | None = None
    while (payload := held.get(slot)) is not None:
        outcome = judged(payload, ask, stored=slot not in fresh)
        if not isinstance(outcome, CallFailure):
            return outcome
        again = slot.ask % 2 == 0 and outcome.cls in ASKED_AGAIN
        slot = slot._replace(ask=slot.ask + (1 if again else 2 - slot.ask % 2))
    return slot.ask if outcome is None or slot.ask < 2 * ask.attempt + 2 else outcome
