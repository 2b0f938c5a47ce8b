"""Calls of one run in money: set aside and written down before sending, settled when the answer is stored."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from zhiling.errors import ZhilingError
from zhiling.llm.calls import Call
from zhiling.llm.journal import Journal
from zhiling.llm.limits import Cost, Meter
from zhiling.llm.reply import Usage
from zhiling.llm.role import Role
from zhiling.llm.store import Aside, Awaited, Sent, Settled, Slot

_NOTHING = Cost(0, 0, 0)
Note = Callable[[str, int, int], Awaited]


class Ticket(NamedTuple):
    """A call that may be sent.

    Attributes:
        line: run, session and number: where it stands in the ledger.
        most: what it can cost at most.
        opened_s: when that was set aside.
        awaited: its line in a batch file, which ends with it.
        counted: whether the limits of this run count it.
    """

    line: tuple[str, int, int]
    most: Cost
    opened_s: float
    awaited: Awaited | None = None
    counted: bool = True


class Ledger:
    """The calls of one run, under a session number of its own so that no two writers share a line."""

    def __init__(self, run: str, journal: Journal, meter: Meter) -> None:
        self.run, self._journal, self._meter = run, journal, meter
        self._session = secrets.randbits(48)
        self._numbers = itertools.count()

    async def open(self, name: str, role: Role, call: Call, note: Note | None = None) -> Ticket:
        """Sets the most aside and writes it down; waits for room within the limits.

        Args:
            name: of the role.
            role: its settings.
            call: what will be sent.
            note: from run, session and number to the line in a batch file, written in the same transaction.

        Raises:
            BudgetReached: a limit leaves no room, and nothing in flight can make some.
        """
        prompt, completion = call.most_prompt, call.most_completion
        most = Cost(role.price.pico(prompt, completion), prompt, completion)
        await self._meter.reserve(most)
        line = self.run, self._session, next(self._numbers)
        ticket = Ticket(line, most, time.monotonic(), None if note is None else note(*line))
        await self._journal.write(sent=Sent(*line, name, *most), awaited=ticket.awaited)
        return ticket

    def resume(self, awaited: Awaited, aside: Aside) -> Ticket:
        """The ticket of a call that an earlier process sent: its money is set aside already."""
        counted = awaited.run == self.run
        if counted:
            self._meter.resume()
        opened_s = time.monotonic() - max(0.0, time.time() - aside.at)
        return Ticket(awaited[-3:], Cost(*aside[:3]), opened_s, awaited, counted)

    def park(self, ticket: Ticket) -> None:
        """It stays at its most until its answer is read, and nobody waits for that."""
        self._count(ticket, ticket.most)

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
        self._count(ticket, cost)

    async def free(self, ticket: Ticket) -> None:
        """Nothing was done for it: it costs nothing."""
        await self._write(ticket, "free", _NOTHING)
        if ticket.counted:
            self._meter.free(ticket.most)

    async def write_off(self, ticket: Ticket) -> None:
        """No answer came, but the server may have worked: its most counts."""
        await self._write(ticket, "unknown", ticket.most)
        self._count(ticket, ticket.most)

    async def recount(self, ticket: Ticket) -> None:
        """Counts what another process wrote, who closed the line of a call that both awaited."""
        state, *cost = await self._journal.within(lambda store: store.line(*ticket.line))
        if ticket.counted and state == "free":
            self._meter.free(ticket.most)
        else:
            self._count(ticket, Cost(*cost))

    def stop(self, error: ZhilingError) -> None:
        """Nobody waits for room any longer."""
        self._meter.stop(error)

    async def _write(
        self, ticket: Ticket, state: str, cost: Cost, replies: Sequence[tuple[Slot, bytes]] = ()
    ) -> None:
        seconds = time.monotonic() - ticket.opened_s
        settled = Settled(state, *cost, seconds, *ticket.line)
        await self._journal.write(settled=settled, replies=replies, answered=ticket.awaited)

    def _count(self, ticket: Ticket, cost: Cost) -> None:
        if ticket.counted:
            self._meter.settle(ticket.most, cost)
