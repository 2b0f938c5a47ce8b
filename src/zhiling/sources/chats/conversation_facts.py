"""What a row takes from its conversation beside the texts: labels and other fields.

A field of the row's own messages counts first (the reply's before the question's; for labels the
question's before the reply's). Failing that, the conversation's field counts where it has one value only:
a rating on the last line belongs to every reply, a message number to none but its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from zhiling.sources.chats.messages import Messages
from zhiling.sources.chats.replies import Turns

NOTICES, BEFORE = "notices", "before"
"""Fields of `extra`: what the log noted since the row before, what was said before an open question."""

_DIFFERS = object()


@dataclass
class Facts:
    """Looks up what rows take from their messages.

    Attributes:
        messages: all messages of a file.
        frame: them sorted, as `Messages.frame` gives them.
        turns: them merged.
    """

    messages: Messages
    frame: pl.DataFrame
    turns: Turns

    def __post_init__(self) -> None:
        self._index = self.frame["index"].to_list()
        self._names = self.frame["conversation"].to_list()
        self._any = bool(self.messages.shared) or any(self.messages.rest)
        self._labelled = any(self.messages.shared_labels.values()) or any(
            label is not None for label in self.messages.labels
        )
        self._bounds = _bounds(self._names)
        self._common: dict[str, dict[str, Any]] = {}
        self._label: dict[str, list[str] | None] = {}

    def rest(self, question: int, reply: int) -> dict[str, Any]:
        """The fields of the row that asks in one turn and answers in another (or the same, unanswered)."""
        if not self._any:
            return {}
        own: dict[str, Any] = {}
        for index in (*self._own(question), *self._own(reply)):
            own |= self.messages.rest[index]
        return {**self._shared(self._name(question)), **own}

    def beside(self, since: int, start: int, end: int) -> dict[str, Any]:
        """What was noted or said since the row before and is not among the row's own turns.

        Args:
            since: the first turn behind the row before.
            start: the row's first turn.
            end: its last turn.
        """
        found: dict[str, Any] = {}
        if self.messages.notices:
            own = self._index[self.turns.first[since] : self.turns.last[end] + 1]
            notices = [text for index in own for text in self.messages.notices.get(index, ())]
            found = {NOTICES: notices} if notices else {}
        if start > since and self.turns.frame.item(end, "role") == "user":
            found[BEFORE] = self.turns.frame["text"][since:start].to_list()
        return found

    def labels(self, question: int, reply: int) -> list[str] | None:
        """The labels of that row, or None."""
        if not self._labelled:
            return None
        for index in (*self._own(question), *self._own(reply)):
            if self.messages.labels[index] is not None:
                return self.messages.labels[index]
        return self._only_label(self._name(question))

    def _name(self, turn: int) -> str:
        return self._names[self.turns.first[turn]]

    def _own(self, turn: int) -> list[int]:
        return self._index[self.turns.first[turn] : self.turns.last[turn] + 1]

    def _members(self, name: str) -> list[int]:
        start, end = self._bounds[name]
        return self._index[start:end]

    def _shared(self, name: str) -> dict[str, Any]:
        if name not in self._common:
            values = dict(self.messages.shared.get(name, {}))
            for index in self._members(name):
                for field, value in self.messages.rest[index].items():
                    values[field] = value if values.get(field, value) == value else _DIFFERS
            self._common[name] = {field: value for field, value in values.items() if value is not _DIFFERS}
        return self._common[name]

    def _only_label(self, name: str) -> list[str] | None:
        if name not in self._label:
            found = [self.messages.shared_labels.get(name) or None]
            found += [self.messages.labels[index] for index in self._members(name)]
            distinct = {tuple(labels) for labels in found if labels is not None}
            self._label[name] = list(distinct.pop()) if len(distinct) == 1 else None
        return self._label[name]


def _bounds(names: list[str]) -> dict[str, tuple[int, int]]:
    """Where each conversation begins and ends in the sorted messages."""
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    for index, name in enumerate(names):
        starts.setdefault(name, index)
        ends[name] = index + 1
    return {name: (start, ends[name]) for name, start in starts.items()}
