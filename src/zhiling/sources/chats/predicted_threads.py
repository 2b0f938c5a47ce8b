"""Threads of a log without reply links: the links are predicted, and each thread is a conversation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from zhiling.sources.chats.messages import Messages
from zhiling.sources.chats.reply_features import Message
from zhiling.sources.chats.reply_links import Linker
from zhiling.sources.chats.times import seconds
from zhiling.text.union_find import components

_MINUTE = 60.0


@dataclass(frozen=True)
class Splitter:
    """Makes each thread of each conversation a conversation of its own, named after its first message.

    Attributes:
        linker: predicts what each message answers.
        least_link: a message whose link is less probable starts a thread.
    """

    linker: Linker
    least_link: float = 0.0

    def split(self, messages: Messages) -> None:
        """Renames the conversations of these messages in place; those that are left out anyway stay whole.

        Notices stay with the message that they follow.
        """
        of_conversation: defaultdict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(messages.conversation):
            of_conversation[name].append(index)
        times = _times(messages)
        for name, indexes in of_conversation.items():
            if name not in messages.damaged and name not in messages.rejected:
                self._rename(messages, _in_order(messages, indexes, times), times)

    def _rename(self, messages: Messages, indexes: Sequence[int], times: Sequence[float | None]) -> None:
        name = messages.conversation[indexes[0]]
        for index, thread in zip(indexes, self._threads(messages, indexes, times), strict=True):
            part = f"{name}#{thread}"
            messages.conversation[index] = part
            messages.shown[part] = f"{messages.shown.get(name, name)}#{thread}"
            messages.parts[part] = f"#thread {thread}"
            if name in messages.shared:
                messages.shared[part] = messages.shared[name]
                messages.shared_labels[part] = messages.shared_labels[name]

    def _threads(
        self, messages: Messages, indexes: Sequence[int], times: Sequence[float | None]
    ) -> list[int]:
        """Of each message the first one of its thread, as places in the conversation."""
        said = [
            Message(messages.speaker[index], messages.text[index], _minutes(times[index]))
            for index in indexes
        ]
        links = [link for link in self.linker.links(said) if link.probability >= self.least_link]
        ends = [link.message for link in links], [link.answers for link in links]
        return components(len(said), *ends).tolist()


def _times(messages: Messages) -> list[float | None]:
    """Seconds of each message: its time, or the one that stands beside a line of a transcript."""
    told = [
        time if time is not None else rest.get("time")
        for time, rest in zip(messages.time, messages.rest, strict=True)
    ]
    texts = [time if isinstance(time, str) else None for time in told]
    found = seconds(pl.Series(texts, dtype=pl.String)).fill_nan(None)
    return found.to_list()


def _in_order(messages: Messages, indexes: Sequence[int], times: Sequence[float | None]) -> list[int]:
    """By time where every message has one of its own; else as they stand in the file."""
    if any(messages.time[index] is None or times[index] is None for index in indexes):
        return list(indexes)
    return sorted(indexes, key=lambda index: (times[index] or 0.0, index))


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / _MINUTE
