"""Which feedback events count: the newest about each answer that was not taken back, if its user agreed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from zhiling.sources.events.feedback_event import FeedbackEvent, Withdrawal
from zhiling.sources.problem import Problem

Position = tuple[int, int]
"""Number of the file, number of the line; at equal times the later one counts."""


@dataclass(frozen=True, slots=True)
class _Seen:
    time: datetime
    position: Position
    id: str
    answer: str
    user: str | None
    consent: bool


@dataclass
class History:
    """Remembers of each event when, by whom and about what: about 300 bytes, and no text."""

    _events: dict[str, _Seen] = field(default_factory=dict[str, _Seen])
    _by_id: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _by_user: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _unused: dict[Position, Problem] = field(default_factory=dict[Position, Problem])

    def add(self, event: FeedbackEvent | Withdrawal, position: Position) -> None:
        """Adds an event."""
        if isinstance(event, FeedbackEvent):
            if event.id in self._events:
                self._unused[position] = Problem("duplicate_event", f"event {event.id!r} was read before")
                return
            self._events[event.id] = _Seen(
                event.time, position, event.id, event.answer_id, event.user, event.consent
            )
        elif event.withdrawn is not None:
            _later(self._by_id, event.withdrawn, event.time)
        elif event.withdrawn_user is not None:
            _later(self._by_user, event.withdrawn_user, event.time)

    def unused(self) -> dict[Position, Problem]:
        """Why events give no row, by their position; all others do."""
        newest: dict[str, _Seen] = {}
        unused = dict(self._unused)
        for seen in sorted(self._events.values(), key=lambda each: (each.time, each.position)):
            if self._withdrawn(seen):
                unused[seen.position] = Problem("withdrawn", f"event {seen.id!r} was taken back")
                continue
            before = newest.get(seen.answer)
            if before is not None:
                message = f"event {before.id!r} gave way to {seen.id!r} about the same answer"
                unused[before.position] = Problem("superseded", message)
            newest[seen.answer] = seen
        for seen in newest.values():
            if not seen.consent:
                message = f"event {seen.id!r} has no consent to be used for training"
                unused[seen.position] = Problem("no_consent", message)
        return unused

    def _withdrawn(self, seen: _Seen) -> bool:
        times = [self._by_id.get(seen.id), self._by_user.get(seen.user or "")]
        return any(time is not None and seen.time <= time for time in times)


def _later(times: dict[str, datetime], name: str, time: datetime) -> None:
    times[name] = max(time, times.get(name, time))
