"""Feedback: what users said about answers into rows to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import orjson
import polars as pl

from zhiling.pipeline.step import Bad, Batch, Source
from zhiling.rows.conversation import nest
from zhiling.sources.chats.alternatives import rejected_reply
from zhiling.sources.events.feedback_event import FeedbackEvent, Withdrawal, read_event
from zhiling.sources.events.feedback_history import History, Position
from zhiling.sources.files.lines import blocks, place_of
from zhiling.sources.problem import Problem
from zhiling.sources.record_source import BATCH_ROWS, SOURCE_ROW, Tag, even, source_frame
from zhiling.sources.records.jsonl import json_records

KEPT = {"verdict", "reason", "time", "answered_by", "model", "run", "edited"}
"""Fields of an event that go to `extra`, beside those that this version does not know."""


class Feedback(Source):
    """Feedback events as JSON Lines, see `docs/reference/feedback.md`: thumbs, edits and better answers.

    A thumb up gives the conversation with the answer; an edited or better answer gives the conversation with
    that one, and the old one as rejected alternative; a thumb down alone gives the conversation up to the
    question, with a rejected alternative and no reply. All are rows of task `dialogue`. Of several events
    about one answer the newest counts, by time, then by place; it counts for all files of the source.

    Every line is a row or a bad item: what was replaced (`superseded`), taken back (`withdrawn`), takes
    something back (`withdrawal`), has no consent (`no_consent`) or cannot be read. No bad item shows what
    somebody wrote. Rows of one user are one group, without a user key those of one conversation.

    Attributes:
        language: of events that name none, as a BCP-47 tag.
    """

    name: ClassVar[str] = "feedback"

    language: Tag | None = None

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        """Rows of all files in batches of about 20,000; they are read twice, as the end tells what counts."""
        history = History()
        ends = [0] * len(files)
        for position, _, event in _events(files, root):
            ends[position[0]] = max(ends[position[0]], position[1])
            if isinstance(event, FeedbackEvent | Withdrawal):
                history.add(event, position)
        unused = history.unused()
        judged = (_judged(*each, unused, ends) for each in _events(files, root))
        pieces = iter(lambda: list(islice(judged, BATCH_ROWS)), [])
        yield from even(self._batch(piece) for piece in pieces)

    def _batch(self, judged: Sequence[tuple[str, FeedbackEvent] | Bad]) -> Batch:
        events = [each for each in judged if not isinstance(each, Bad)]
        bad = tuple(each for each in judged if isinstance(each, Bad))
        if not events:
            return Batch(pl.DataFrame(schema=SOURCE_ROW), bad)
        said = [_said(event) for _, event in events]
        spoken = [turn for turns in said for turn in turns]
        flat = pl.DataFrame(spoken, schema={"role": pl.String, "text": pl.String}, orient="row")
        columns: dict[str, Any] = {
            "messages": nest(flat, [len(turns) for turns in said]),
            "alternatives": [_rejected(event) for _, event in events],
            "task": ["dialogue"] * len(events),
            "language": [event.language or self.language for _, event in events],
            "extra": [_extra(event) for _, event in events],
            "locator": [place for place, _ in events],
            "key": [event.id for _, event in events],
            "group": [event.user or event.conversation for _, event in events],
        }
        return Batch(source_frame(columns, len(events)), bad)


Event = FeedbackEvent | Withdrawal | Bad


def _events(files: Sequence[Path], root: Path) -> Iterator[tuple[Position, str, Event]]:
    """Each line's position, place and event. Bad items keep no excerpt: it would show a user's words."""
    for number, file in enumerate(files):
        place, empty = place_of(file, root), True
        for records in json_records(blocks(file, place), place):
            for bad in records.bad:
                empty = False
                yield (number, _line_of(bad)), bad.place, Bad(bad.place, bad.cls, bad.message)
            for line, item in zip(records.lines, records.items, strict=True):
                empty = False
                event, at = read_event(item), f"{place}:{line}"
                yield (number, line), at, event.at(at) if isinstance(event, Problem) else event
        if empty:
            yield (number, 1), f"{place}:1", Bad(f"{place}:1", "empty_file", "the file holds no event")


def _judged(
    position: Position, place: str, event: Event, unused: dict[Position, Problem], ends: Sequence[int]
) -> tuple[str, FeedbackEvent] | Bad:
    if isinstance(event, Bad):
        return event
    if position[1] > ends[position[0]]:
        return Bad(place, "written_meanwhile", "the line came while the file was read; the next run reads it")
    if isinstance(event, Withdrawal):
        whose = f"event {event.withdrawn!r}" if event.withdrawn else "all earlier events of a user"
        return Bad(place, "withdrawal", f"takes back {whose}")
    problem = unused.get(position)
    if problem is None and event.best == event.answer and event.verdict == "down":
        problem = Problem(
            "equal_answers", "the better answer equals the one that got a thumb down; they must differ"
        )
    return (place, event) if problem is None else problem.at(place)


def _said(event: FeedbackEvent) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = [(message.role, message.text) for message in event.messages]
    return [*turns, ("assistant", event.best)] if event.best else turns


def _rejected(event: FeedbackEvent) -> list[dict[str, Any]] | None:
    return None if event.best == event.answer else [rejected_reply(event.answer)]


def _extra(event: FeedbackEvent) -> str:
    kept = event.model_dump(mode="json", include=KEPT | (event.model_extra or {}).keys(), exclude_none=True)
    if event.better is None:
        kept.pop("edited", None)  # it is the row's reply
    return orjson.dumps(kept).decode()


def _line_of(bad: Bad) -> int:
    """The line of a place such as `a.jsonl:3:14`; 0 where it names none (a file that cannot be opened)."""
    parts = bad.place.rsplit(":", 2)[1:]
    numbers = [int(part) for part in parts if part.isdecimal()]
    return numbers[0] if numbers else 0
