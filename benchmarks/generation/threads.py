"""generation.8: reply links of irc_support by the linker that comes along, beside the message before.

    OMP_NUM_THREADS=1 python benchmarks/generation/threads.py [learn]

Ten logs; in each the last 250 messages have links. Four logs are learnt from (features and penalty were
chosen by leaving one of them out), the other six are answered once. `learn` prints the weights that come
along. A line of the log itself (who joined) is no message: its link to itself counts as found on both sides.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA  # noqa: E402
from zhiling.sources.chats.reply_features import NAMES, Message  # noqa: E402
from zhiling.sources.chats.reply_links import Link, Linked, Linker  # noqa: E402
from zhiling.sources.chats.transcripts import read_line  # noqa: E402

LEARNT = (0, 1, 5, 6)
"""Logs, in the order of their names, that the weights and all settings come from."""
FIRST_LINKED = 1000
RESAMPLED = 2000
CURVE = (0.0, 0.3, 0.5, 0.7, 0.9)
POINTS = 0.15
Side = Callable[["Log"], list[Link]]


class Log(NamedTuple):
    """A log: its spoken messages with their answers, and links that no linker of messages can find or miss.

    Attributes:
        linked: spoken messages, and what those from message 1000 on answer.
        notices: links of notices to themselves.
        lost: links between a notice and a message.
    """

    linked: Linked
    notices: int
    lost: int


def logs() -> list[Log]:
    """All logs by name."""
    with gzip.open(DATA / "irc_support" / "irc_channels.jsonl.gz", "rt", encoding="utf-8") as lines:
        read = sorted((json.loads(line) for line in lines), key=lambda log: log["id"])
    return [_log(each["messages"], each["links"]) for each in read]


def _log(lines: Sequence[str], links: Sequence[Sequence[int]]) -> Log:
    messages = [_message(line) for line in lines]
    spoken = [number for number, message in enumerate(messages) if message is not None]
    place = {number: at for at, number in enumerate(spoken)}
    answers: dict[int, set[int]] = {}
    notices = lost = 0
    for low, high in sorted(sorted(link) for link in links):
        if high < FIRST_LINKED:
            continue
        if low in place and high in place:
            answers.setdefault(place[high], set()).add(place[low])
        elif low == high:
            notices += 1
        else:
            lost += 1
    return Log(Linked([message for message in messages if message is not None], answers), notices, lost)


def _message(line: str) -> Message | None:
    said = read_line(line)
    if said is None or said.speaker is None:
        return None
    hours, minutes = said.time.split(":")[:2] if said.time else ("0", "0")
    return Message(said.speaker, said.text, int(hours) * 60.0 + int(minutes))


class Counts(NamedTuple):
    """Links found and right, found, and right in all."""

    right: int
    found: int
    wanted: int


def counts(log: Log, links: Sequence[Link], *, starts: bool) -> Counts:
    """Of the messages that have links; `starts`: links of a message to itself count too."""
    wanted = {
        (high, low) for high, lows in log.linked.answers.items() for low in lows if starts or low != high
    }
    found = {(link.message, link.answers) for link in links if link.message in log.linked.answers}
    found = {pair for pair in found if starts or pair[0] != pair[1]}
    more = log.notices if starts else 0
    return Counts(len(wanted & found) + more, len(found) + more, len(wanted) + more + log.lost)


def f1(parts: Sequence[Counts]) -> float:
    """F1 of all links of some logs."""
    right, found, wanted = (sum(each) for each in zip(*parts, strict=True))
    return 2 * right / (found + wanted)


def ours(log: Log) -> list[Link]:
    """The shipped linker's links."""
    return Linker.shipped().links(log.linked.messages, min(log.linked.answers))


def adjacent(log: Log) -> list[Link]:
    """Each message answers the one before it."""
    return [Link(number, number - 1, 1.0) for number in log.linked.answers]


def figures(test: Sequence[Log]) -> Iterator[dict]:
    """All rows of results."""
    links = [ours(log) for log in test]
    before = [adjacent(log) for log in test]
    for id, what, starts in (
        ("generation.8a", "reply links of six logs: F1, links of a message to itself counted", True),
        ("generation.8b", "reply links of six logs: F1, answers alone", False),
    ):
        parts = [counts(*each, starts=starts) for each in zip(test, links, strict=True)]
        beside = [counts(*each, starts=starts) for each in zip(test, before, strict=True)]
        low, high = _interval(parts)
        yield row(
            id, what, round(f1(parts), 4), round(f1(beside) + POINTS, 4), "higher", low=low, high=high,
            n=sum(part.wanted for part in parts), unit="F1", data="irc_support",
            beside={"message before": round(f1(beside), 4)},
            note="whole logs resampled 2,000 times, 95 %; goal: message before + 15 points",
        )  # fmt: skip
    yield curve(test, links)


def curve(test: Sequence[Log], links: Sequence[Sequence[Link]]) -> dict:
    """Precision over coverage: links of at least some probability."""
    told: dict[str, float] = {}
    for least in CURVE:
        judged = [
            link.answers in log.linked.answers[link.message]
            for log, found in zip(test, links, strict=True)
            for link in found
            if link.message in log.linked.answers and link.probability >= least
        ]
        total = sum(len(log.linked.answers) for log in test)
        told |= {
            f"precision from {least:g}": round(float(np.mean(judged)), 4),
            f"coverage from {least:g}": round(len(judged) / total, 4),
        }
    value = told["precision from 0.7"]
    return row(
        "generation.8c", "precision of links of probability .7 and more", value, 0.85, "higher",
        n=sum(len(log.linked.answers) for log in test), unit="share", data="irc_support", beside=told,
        note="spoken messages; coverage: share of messages whose link is that probable",
    )  # fmt: skip


def _interval(parts: Sequence[Counts]) -> tuple[float, float]:
    draws = np.random.default_rng(0)
    found = [
        f1([parts[int(place)] for place in draws.integers(0, len(parts), len(parts))])
        for _ in range(RESAMPLED)
    ]
    low, high = np.percentile(found, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def main() -> None:
    """Measures and records every figure, or learns the weights."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    read = logs()
    if sys.argv[1:] == ["learn"]:
        learnt = Linker.learnt([read[place].linked for place in LEARNT])
        for name, weight in zip(NAMES, learnt.weights, strict=True):
            print(f"{name} = {weight:.3f}")
        return
    test = [log for place, log in enumerate(read) if place not in LEARNT]
    print(record("generation", list(figures(test))), file=sys.stderr)


if __name__ == "__main__":
    main()
