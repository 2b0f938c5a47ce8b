"""Chat logs in which many talk at once, as questions of matching: which earlier message does one answer?"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.sources.sets import DATA
from zhiling.rows.target import Answer, Answers, spelled
from zhiling.rows.templates.example import Turn
from zhiling.training import Examples

LINE = re.compile(r"^\[\d\d:\d\d\] (?:<(?P<who>[^>]*)> |\* (?P<does>\S+) )(?P<text>.*)$")
BEFORE = 50
"""Messages before one that are its candidates, the nearest first; 98 % of the links lead to one of them."""
LEARNT, DEV = (0, 1, 5), 6
"""Logs, in the order of their names, that are learnt from and that choose the epoch; settings were chosen on
them, too. All others are answered once."""


class Reply(NamedTuple):
    """A message that answers others."""

    number: int
    text: str
    candidates: tuple[str, ...]
    right: tuple[str, ...]


def message(line: str) -> str:
    """`who: text`, without the time; lines of the channel itself as they are."""
    found = LINE.match(line)
    return f"{found['who'] or found['does']}: {found['text']}" if found else line


def logs() -> list[tuple[str, list[Reply]]]:
    """Name and replies of each log, sorted by name."""
    with gzip.open(DATA / "irc_support" / "irc_channels.jsonl.gz", "rt", encoding="utf-8") as lines:
        read = sorted((json.loads(line) for line in lines), key=lambda log: log["id"])
    return [(log["id"], list(_replies(log["messages"], log["links"]))) for log in read]


def _replies(lines: Sequence[str], links: Sequence[Sequence[int]]) -> Iterator[Reply]:
    messages = [message(line) for line in lines]
    answered: dict[int, set[int]] = {}
    for one, other in links:
        if one != other:  # [a, a] starts a thread
            answered.setdefault(max(one, other), set()).add(min(one, other))
    for number, earlier in sorted(answered.items()):
        places = range(number - 1, number - BEFORE - 1, -1)
        right = tuple(dict.fromkeys(messages[place].strip() for place in places if place in earlier))
        if right:
            yield Reply(number, messages[number], tuple(messages[place] for place in places), right)


def examples(chosen: Sequence[tuple[str, list[Reply]]]) -> Examples:
    """The replies of some logs, each with its candidates; a log is a group."""
    rows = [(name, reply) for name, replies in chosen for reply in replies]
    return Examples(
        tuple(f"{name}:{reply.number}" for name, reply in rows),
        tuple(
            (Turn("user", reply.text), *(Turn("user", each, "choice") for each in reply.candidates))
            for _, reply in rows
        ),
        tuple(spelled(Answers(answers=[Answer(text=each) for each in reply.right])) for _, reply in rows),
        ("en",) * len(rows),
        tuple(name for name, _ in rows),
    )
