"""Calls of one run in money: set aside and written down before sending, settled when the answer is stored."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

from zhiling.errors import ZhilingError
from zhiling.llm.calls import Call
from zhiling.llm.journal import Journal
from zhiling.llm.limits import Cost, Meter
from zhiling.llm.reply import Usage
from zhiling.llm.role import Role
from zhiling.llm.store import Sent, Settled, Slot

_NOTHING = Cost(0, 0, 0)


class Ticket(NamedTuple):
    """A call that may be sent: its number, the most that it can cost, and when it was opened."""

    number: int
    most: Cost
    opened_s: float


class Ledger:
    """The calls of one run, under a session number of its own so that no two writers share a line."""

    def __init__(self, run: str, journal: Journal, meter: Meter) -> None:
        self._run, self._journal, self._meter = run, journal, meter
        self._session = secrets.randbits(48)
        self._numbers = itertools.count()

    async def open(self, name: str, role: Role, call: Call) -> Ticket:
        """Sets the most aside and writes it down; waits for room within the limits.

        Raises:
            BudgetReached: a limit leaves no room, and nothing in flight can make some.
        """
        prompt, completion = call.most_prompt, call.most_completion
        most = Cost(role.price.pico(prompt, completion), prompt, completion)
        await self._meter.reserve(most)
        ticket = Ticket(next(self._numbers), most, time.monotonic())
        await self._journal.write(sent=Sent(self._run, self._session, ticket.number, name, *most))
        return ticket

    def place(self, ticket: Ticket) -> tuple[str, int, int]:
        """Where the call stands in the ledger: run, session and number."""
        return self._run, self._session, ticket.number

    def park(self, ticket: Ticket) -> None:
        """It stays at its most until its answer is read, and nobody waits for that."""
        self._meter.settle(ticket.most, ticket.most)

    async def settle(
        self, ticket: Ticket, role: Role, usage: Usage | None, replies: Sequence[tuple[Slot, bytes]]
    ) -> None:
        """Stores the replies with what they cost; at the most where the server does not count."""
        if usage is None:
            state, cost = "unknown", ticket.most
        else:
            state = "done"
            cost = Cost(role.price.pico(usage.prompt, usage.completion), usage.prompt, usage.completion)
        await self._write(ticket, state, cost, replies)
        self._meter.settle(ticket.most, cost)

    async def free(self, ticket: Ticket) -> None:
        """Nothing was done for it: it costs nothing."""
        await self._write(ticket, "free", _NOTHING)
        self._meter.free(ticket.most)

    async def write_off(self, ticket: Ticket) -> None:
        """No answer came, but the server may have worked: its most counts."""
        await self._write(ticket, "unknown", ticket.most)
        self._meter.settle(ticket.most, ticket.most)

    def stop(self, error: ZhilingError) -> None:
        """Nobody waits for room any longer."""
        self._meter.stop(error)

    async def _write(
        self, ticket: Ticket, state: str, cost: Cost, replies: Sequence[tuple[Slot, bytes]] = ()
    ) -> None:
        seconds = time.monotonic() - ticket.opened_s
        settled = Settled(state, *cost, seconds, self._run, self._session, ticket.number)
        await self._journal.write(settled=settled, replies=replies)
