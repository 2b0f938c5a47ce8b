"""Threads of a log in which many talk at once: messages that reply links join are one conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zhiling.pipeline.step import Bad
from zhiling.sources.chats.messages import Messages, Whole
from zhiling.sources.chats.speakers import NOTICE, Speakers
from zhiling.sources.chats.turn_lists import Turn, read_turn
from zhiling.sources.files.lines import excerpt
from zhiling.sources.problem import Problem
from zhiling.sources.records.json_values import as_list


def threads(count: int, links: Any) -> list[list[int]] | Problem:
    """The messages of each thread in order, threads by their first message.

    Args:
        count: how many messages the log has.
        links: pairs of a message and one that it is linked to, as numbers from 0, in either order; a
            message linked to itself starts a thread. Messages that no pair names are in none.
    """
    pairs = as_list(links)
    if pairs is None:
        return Problem("wrong_type", f"the links are {links!r:.60}; a list of pairs of numbers is needed")
    above: dict[int, int] = {}
    for pair in pairs:
        ends = as_list(pair) or []
        if len(ends) != 2 or any(type(end) is not int or not 0 <= end < count for end in ends):
            needed = f"two numbers of messages from 0 to {count - 1} are needed"
            return Problem("wrong_link", f"link {pair!r:.60}; {needed}")
        low, high = sorted((_top(above, ends[0]), _top(above, ends[1])))
        above[low] = low
        above[high] = low
    members: dict[int, list[int]] = {}
    for message in sorted(above):
        members.setdefault(_top(above, message), []).append(message)
    return list(members.values())


def _top(above: dict[int, int], message: int) -> int:
    """The first message of the thread; the way there is shortened on the go."""
    while above.setdefault(message, message) != message:
        above[message] = above[above[message]]
        message = above[message]
    return message


def spelled(numbers: Iterable[int]) -> str:
    """Numbers for people, runs as `3–7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)


@dataclass(frozen=True)
class Log:
    """A log in which many talk at once, held by one record.

    Attributes:
        whole: the record.
        listed: its messages.
        links: pairs of messages.
        chosen: names of a message's fields, where it is an object.
        place: the file.
    """

    whole: Whole
    listed: list[Any]
    links: Any
    chosen: Mapping[Any, str | None]
    place: str


def add_threads(messages: Messages, log: Log, speakers: Speakers) -> Problem | None:
    """Adds each thread as a conversation, and says in one Bad what is in none; a Problem where links fail."""
    found = threads(len(log.listed), log.links)
    if isinstance(found, Problem):
        return found
    linked: set[int] = set()
    notices = 0
    for members in found:
        linked.update(members)
        turns = _turns(messages, log, members, speakers)
        if turns and all(turn.role == NOTICE for turn in turns):
            notices += len(turns)
        elif turns:
            _add_thread(messages, log, members[0], turns)
    loose = [number for number in range(len(log.listed)) if number not in linked]
    if loose or notices:
        counts = f"{len(loose):,} of {len(log.listed):,} messages are linked to no other"
        notes = f"{notices:,} more are notices of the log, alone in their thread"
        message = f"{counts}, {notes}; not linked are {spelled(loose):.200}"
        messages.bad.append(Bad(f"{log.place}:{log.whole.line}", "outside_threads", message))
    return None


def _add_thread(messages: Messages, log: Log, first: int, turns: list[Turn]) -> None:
    channel = log.whole.conversation or f"line {log.whole.line}"
    named = replace(log.whole, conversation=f"{channel}#{first}")
    name = messages.add_whole(named, turns)
    messages.parts[name] = f"#thread {first}"


def _turns(messages: Messages, log: Log, members: list[int], speakers: Speakers) -> list[Turn]:
    """The turns of a thread; none, and a Bad for each cause, where one cannot be read."""
    turns: list[Turn] = []
    problems: list[Bad] = []
    for number in members:
        turn = read_turn(log.listed[number], log.chosen, speakers)
        if isinstance(turn, Turn):
            turns.append(turn)
        else:
            place = f"{log.place}:{log.whole.line}#message {number}"
            left = f"message {number}{turn.message}; its thread of {len(members)} messages is left out"
            problems.append(Bad(place, turn.cls, left, excerpt(str(log.listed[number]))))
    messages.bad.extend(problems)
    return [] if problems else turns
