"""Replies that are given apart from their context and called right or wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zhiling.rows.schema import digest
from zhiling.sources.chats.messages import Messages, Whole
from zhiling.sources.chats.turn_lists import Turn
from zhiling.sources.problem import Problem

_VERDICTS = {"1": True, "true": True, "right": True, "0": False, "false": False, "wrong": False}


@dataclass
class ReplyPairs:
    """Joins wrong replies to the right one of the same context, wherever in the file that stands."""

    _right: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    _wrong: list[tuple[str, Whole, list[Turn], str]] = field(
        default_factory=list[tuple[str, Whole, list[Turn], str]]
    )

    def add(self, messages: Messages, whole: Whole, context: list[Turn], reply: str, right: bool) -> None:
        """Adds a reply to a context: a right one as a conversation, a wrong one once all are known."""
        key = digest(*(f"{turn.role}\0{turn.text}".encode() for turn in context))
        if not right:
            self._wrong.append((key, whole, context, reply))
            return
        name = messages.add_whole(whole, [*context, Turn("assistant", reply)])
        self._right.setdefault(key, (name, reply))

    def settle(self, messages: Messages, place: str) -> None:
        """Adds each wrong reply as an alternative to the right one; without one the context stays alone."""
        for key, whole, context, reply in self._wrong:
            if key not in self._right:
                self._right[key] = (messages.add_whole(Whole(whole.line, whole.conversation), context), "")
            name, right = self._right[key]
            if reply == right:
                equal = Problem("equal_replies", "the wrong reply equals the right one; they must differ")
                messages.bad.append(equal.at(f"{place}:{whole.line}"))
                continue
            messages.rejected.setdefault(name, []).append(reply)
            told = {**whole.rest, **({"conversation": whole.conversation} if whole.conversation else {})}
            if told:
                messages.shared[name] = {**messages.shared[name]}
                messages.shared[name]["rejected"] = [*messages.shared[name].get("rejected", []), told]
        self._wrong.clear()


def verdict(value: Any) -> bool | None:
    """Whether a field calls a reply right (1, true, right; no value) or wrong; None where it says neither."""
    return True if value is None else _VERDICTS.get(str(value).strip().casefold())
