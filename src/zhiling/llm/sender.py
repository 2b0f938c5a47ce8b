"""Sends one call until it is answered, with all that guards it: place, money, pace, tries.

    place at an endpoint → money set aside, written down → sent → replies and cost stored → place given back

A try that a server refused for load is repeated until the call's patience ends; one that failed, `retries`
times. What a server may bill for without having answered stays in the ledger at its most.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from zhiling.errors import ZhilingError
from zhiling.llm.answers import Fault, fault_of
from zhiling.llm.calls import Call
from zhiling.llm.endpoints import Endpoint, Endpoints, Result
from zhiling.llm.failures import CallFailure, FailureClass, Stop
from zhiling.llm.ledger import Ledger, Ticket
from zhiling.llm.pace import Backoff
from zhiling.llm.reply import NotTheProtocol, Usage, payloads, usage_of
from zhiling.llm.role import Role
from zhiling.llm.transport import Answer, Broken, Transport

_MOST_WORKERS = 4096


@dataclass(frozen=True, slots=True)
class Received:
    """Replies as they are stored, in the order of the call's slots; `usage` where the server counts."""

    payloads: list[bytes]
    usage: Usage | None


class Tries:
    """How often one call was tried, and when it may be tried again."""

    def __init__(self, role: Role, backoff: Backoff, now: float) -> None:
        self._retries, self._backoff, self._end = role.retries, backoff, now + role.patience_s
        self._refused = self._failed = self._malformed = 0

    def wait_s(self, fault: Fault, now: float) -> float | None:
        """Seconds to wait before the next try; None: there is none."""
        wait = self._wait_s(fault) if fault.again else None
        return None if wait is None or now + wait > self._end else wait

    def _wait_s(self, fault: Fault) -> float | None:
        if fault.unreachable:  # an endpoint that is away rests; the call is not at fault
            return 0.0
        if fault.failure.cls is FailureClass.RATE_LIMIT:
            self._refused += 1
            return self._backoff.wait_s(self._refused, fault.wait_s)
        if fault.failure.cls is FailureClass.BAD_JSON:
            self._malformed += 1
            return 0.0 if self._malformed == 1 else None
        self._failed += 1
        return self._backoff.wait_s(self._failed, fault.wait_s) if self._failed <= self._retries else None


class Sender:
    """Sends calls of one role; as many at once as its endpoints take.

    Args:
        name: of the role.
        role: its settings.
        endpoints: where calls go.
        transport: how they get there.
        ledger: what they cost.
        backoff: how long to wait between tries.
    """

    def __init__(
        self, name: str, role: Role, endpoints: Endpoints, transport: Transport, ledger: Ledger,
        backoff: Backoff,
    ) -> None:  # fmt: skip
        self.name, self.role, self.endpoints, self.transport = name, role, endpoints, transport
        self._ledger, self._backoff = ledger, backoff

    @property
    def workers(self) -> int:
        """How many may call `send` at once to keep it busy."""
        # Twice as many as are sent at once: who waits for a server's Retry-After keeps no place.
        return min(_MOST_WORKERS, 2 * sum(each.limit.most for each in self.endpoints.endpoints))

    @property
    def stopped(self) -> ZhilingError | None:
        """Why nothing is sent any more."""
        return self.endpoints.stopped

    def stop(self, error: ZhilingError) -> None:
        """Sends nothing any more; whoever waits is told why."""
        self.endpoints.stop(error)
        self._ledger.stop(error)

    async def finish(self) -> None:
        """All calls of a batch of asks were made."""

    async def send(self, call: Call) -> list[bytes] | CallFailure:
        """The stored replies of a call, in the order of its slots.

        Raises:
            Stop: no further call can succeed.
            BudgetReached: a limit of the run leaves no room for it.
        """
        tries = Tries(self.role, self._backoff, time.monotonic())
        while not isinstance(found := await self._once(call), Received):
            wait = tries.wait_s(found, time.monotonic())
            if wait is None:
                return found.failure
            if wait:
                await self.endpoints.pause(wait)
        return found.payloads

    async def _once(self, call: Call) -> Received | Fault:
        """One try. Who has money set aside has a place too: else each could wait for the other for ever."""
        endpoint = await self.endpoints.acquire()
        result, trouble = Result.UNUSED, ""
        try:
            ticket = await self._ledger.open(self.name, self.role, call)
            found = await self._on_time(endpoint, call, ticket)
            await self._account(call, ticket, found)
            if isinstance(found, Received):
                result = Result.ANSWERED
            else:
                result, trouble = _result(found), found.failure.message
        finally:
            self.endpoints.release(endpoint, result, trouble)
        return found

    async def _account(self, call: Call, ticket: Ticket, found: Received | Fault) -> None:
        """Stores replies and what they cost, or what a fault may cost."""
        if isinstance(found, Received):
            replies = list(zip(call.slots, found.payloads, strict=True))
            await self._ledger.settle(ticket, self.role, found.usage, replies)
        else:
            await (self._ledger.write_off if found.charged else self._ledger.free)(ticket)

    async def _on_time(self, endpoint: Endpoint, call: Call, ticket: Ticket) -> Received | Fault:
        try:
            await endpoint.pace.keep(call.likely_tokens, self.endpoints.pause)
            return await self._ask(endpoint, call)
        except Stop:
            await self._ledger.free(ticket)
            raise

    async def _ask(self, endpoint: Endpoint, call: Call) -> Received | Fault:
        try:
            answer = await self.transport.send(endpoint, call.path, call.body)
        except Broken as broken:
            failure, charged = broken.failure, broken.charged
            return Fault(failure, failure.retryable, charged=charged, unreachable=broken.unreachable)
        return self._judged(endpoint, call, answer)

    def _judged(self, endpoint: Endpoint, call: Call, answer: Answer) -> Received | Fault:
        fault = fault_of(answer, endpoint.url, answered=self.endpoints.answered, key_env=self.role.key_env)
        return fault or self._received(endpoint, call, answer)

    def _received(self, endpoint: Endpoint, call: Call, answer: Answer) -> Received | Fault:
        try:
            found = payloads(call.path, answer.tree, len(call.slots))
        except NotTheProtocol as error:
            head = answer.body[:200].decode("utf-8", "replace")
            message = (
                f"not the protocol ({error}): {head!r}"
                if answer.tree is None
                else f"not the protocol ({error})"
            )
            return Fault(CallFailure(FailureClass.BAD_JSON, message, endpoint.url), again=True, charged=True)
        usage = usage_of(answer.tree)
        if usage is not None:
            endpoint.pace.correct(call.likely_tokens, usage.total)
        return Received(found, usage)


def _result(fault: Fault) -> Result:
    """What a fault says about the endpoint."""
    if fault.unreachable:
        return Result.UNREACHABLE
    if fault.failure.cls is FailureClass.RATE_LIMIT:
        return Result.REFUSED
    failed = fault.failure.cls in (FailureClass.SERVER, FailureClass.TIMEOUT, FailureClass.BAD_JSON)
    return Result.FAILED if failed else Result.ANSWERED
