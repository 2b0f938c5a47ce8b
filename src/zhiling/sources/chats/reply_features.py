"""What tells whether a message of a log answers an earlier one: a row of numbers per pair.

Time, distance, who speaks, who is called by name, and words that both share and few others have.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 100
"""So many messages before one can be answered by it; 99 % of the links of irc_support are shorter."""

NAMES: tuple[str, ...] = (
    "start", "start_calls", "start_asks", "start_new_speaker", "start_pause", "start_greets",
    "start_calls_unknown",
    "nearness", "next", "second", "log_distance", "minutes", "same_minute", "over_ten_minutes",
    "same_speaker", "same_speaker_next", "last_of_speaker", "own_last",
    "calls", "calls_last", "calls_at_start", "called_by", "called_by_last", "calls_same",
    "calls_other", "called_other", "talked_to", "talked_back", "uncalled_next", "own_last_uncalled",
    "asks", "asks_other", "answered_question", "shared_words", "rarest_word", "words_if_uncalled",
)  # fmt: skip
"""The columns of `Features.of`, in their order."""

_COLUMN = {name: place for place, name in enumerate(NAMES)}
_TOKEN = re.compile(r"[A-Za-z0-9_À-ɏ][\w\-./]*|[\u3400-\u9fff]{2}|[\u3400-\u9fff]")
_WORD = re.compile(r"[^\s,:;!?，：；！？。、@]+")
_CALL = re.compile(r"^\s*@?([^\s,:;，：；]{2,40})\s?[,:，：;]")
_SHORTEST_NAME = 3


@dataclass(frozen=True)
class Message:
    """One message of a log.

    Attributes:
        speaker: the name, as the log has it.
        text: what was said.
        minute: minutes since any moment; None where no time stands there.
    """

    speaker: str
    text: str
    minute: float | None = None


class Features:
    """The pairs of a log's messages as numbers.

    Args:
        messages: in their order.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        names = [message.speaker.casefold() for message in messages]
        known = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self._speaker = np.array([known[name] for name in names], dtype=np.int64)
        self._minute = _filled([message.minute for message in messages])
        self._words = [frozenset(_words(message.text)) for message in messages]
        frequency = Counter(word for words in self._words for word in words)
        self._rarity = {w: math.log((len(messages) + 1) / (n + 0.5)) for w, n in frequency.items()}
        self._asks = np.array([bool(_cues("asks").search(message.text)) for message in messages])
        self._calls, self._first_call, self._unknown = self._called(known)
        self._told = [frozenset(calls) for calls in self._calls]

    def of(self, number: int) -> NDArray[np.float64]:
        """The pairs of a message with itself (it starts a thread) and with each one before it, nearest first.

        Shape (1 + min(number, WINDOW), len(NAMES)).
        """
        first = max(0, number - WINDOW)
        table = np.zeros((1 + number - first, len(NAMES)))
        self._start(number, first, table[0])
        if number > first:
            earlier = np.arange(number - 1, first - 1, -1)
            for name, values in self._pairs(number, earlier).items():
                table[1:, _COLUMN[name]] = values
        return table

    def _start(self, number: int, first: int, row: NDArray[np.float64]) -> None:
        """Does it start a thread?"""
        own = np.flatnonzero(self._speaker[first:number] == self._speaker[number])
        pause = self._minute[number] - (self._minute[first + own[-1]] if len(own) else self._minute[first])
        values = {
            "start": 1.0,
            "start_calls": bool(self._calls[number]),
            "start_asks": bool(self._asks[number]),
            "start_new_speaker": not len(own),
            "start_pause": math.log1p(max(pause, 0.0)),
            "start_greets": bool(_cues("greets").search(self._messages[number].text)),
            "start_calls_unknown": self._unknown[number] and not self._calls[number],
        }
        for name, value in values.items():
            row[_COLUMN[name]] = float(value)

    def _pairs(self, number: int, earlier: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        speaker, others = self._speaker[number], self._speaker[earlier]
        distance = (number - earlier).astype(np.float64)
        gap = np.maximum(self._minute[number] - self._minute[earlier], 0)
        same = others == speaker
        last = _first_of_each(others)
        calls = np.isin(others, list(self._calls[number]))
        called_by = np.array([speaker in self._told[one] for one in earlier.tolist()])
        before: list[int] = earlier.tolist()
        shared = [self._words[number] & self._words[one] for one in before]
        weight = np.array([sum(self._rarity[word] for word in words) for words in shared])
        rarest = np.array([max((self._rarity[word] for word in words), default=0.0) for words in shared])
        uncalled = not self._calls[number]
        to_somebody = np.array([bool(self._told[one]) for one in before])
        same_called = np.array([bool(self._told[one] & self._told[number]) for one in before])
        asks = self._asks[earlier]
        found = {
            "nearness": 1 / distance,
            "next": distance == 1,
            "second": distance == 2,
            "log_distance": np.log(distance),
            "minutes": np.log1p(gap),
            "same_minute": gap == 0,
            "over_ten_minutes": gap > 10,
            "same_speaker": same,
            "same_speaker_next": same & (distance == 1),
            "last_of_speaker": last,
            "own_last": same & last,
            "calls": calls,
            "calls_last": calls & last,
            "calls_at_start": calls & (others == self._first_call[number]),
            "called_by": called_by,
            "called_by_last": called_by & last,
            "calls_same": same_called,
            "calls_other": ~calls & ~same & (not uncalled),
            "called_other": to_somebody & ~called_by & ~same & ~same_called,
            **self._talk(number, earlier, last),
            "uncalled_next": uncalled & (distance == 1) & ~same,
            "own_last_uncalled": same & last & uncalled,
            "asks": asks,
            "asks_other": asks & ~same & ~to_somebody,
            "answered_question": calls & asks,
            "shared_words": np.sqrt(weight),
            "rarest_word": rarest,
            "words_if_uncalled": rarest * uncalled,
        }
        return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}

    def _talk(
        self, number: int, earlier: NDArray[np.int64], last: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.bool_]]:
        """Whom this speaker called before, and who called this speaker before."""
        speaker, others = self._speaker[number], self._speaker[earlier]
        own: list[int] = earlier[others == speaker].tolist()
        nobody: tuple[int, ...] = ()
        before = next((self._calls[one] for one in own if self._calls[one]), nobody)
        callers = {
            int(other)
            for one, other in zip(earlier.tolist(), others.tolist(), strict=True)
            if speaker in self._told[one]
        }
        uncalled = not self._calls[number]
        return {
            "talked_to": np.isin(others, list(before)) & last & uncalled,
            "talked_back": np.isin(others, list(callers)) & last & uncalled,
        }

    def _called(
        self, known: dict[str, int]
    ) -> tuple[list[tuple[int, ...]], NDArray[np.int64], NDArray[np.bool_]]:
        """Whom each message calls by name, whom at its start, and whether it seems to call somebody else."""
        calls: list[tuple[int, ...]] = []
        first = np.full(len(self._messages), -1, dtype=np.int64)
        unknown = np.zeros(len(self._messages), dtype=np.bool_)
        for number, message in enumerate(self._messages):
            called: dict[int, None] = {}
            opening = _CALL.match(message.text)
            name = opening[1].casefold() if opening else ""
            if name in known:
                first[number] = known[name]
                called[known[name]] = None
            unknown[number] = bool(name) and name not in known
            for word in _WORD.findall(message.text.casefold()):
                if len(word) >= _SHORTEST_NAME and word in known and not self._common(word):
                    called[known[word]] = None
            calls.append(tuple(other for other in called if other != self._speaker[number]))
        return calls, first, unknown

    def _common(self, word: str) -> bool:
        """Whether a speaker's name is an everyday word of the log."""
        return self._rarity.get(word, math.inf) < math.log(50)


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.casefold())


def _filled(minutes: Sequence[float | None]) -> NDArray[np.float64]:
    """Minutes without gaps: those of the message before where none stand; over midnight they go on."""
    found: list[float] = []
    day = before = 0.0
    for minute in minutes:
        if minute is not None:
            if minute + day < before - 720:
                day += 1440
            before = max(before, minute + day)
        found.append(before)
    return np.array(found)


def _first_of_each(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a value occurs for the first time."""
    found = np.zeros(len(values), dtype=np.bool_)
    found[np.unique(values, return_index=True)[1]] = True
    return found


@cache
def shipped_file() -> dict[str, Any]:
    """Cues and weights that come along."""
    text = (files("zhiling.sources.chats") / "reply_links.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _cues(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(shipped_file()["cues"][kind]), re.IGNORECASE)
