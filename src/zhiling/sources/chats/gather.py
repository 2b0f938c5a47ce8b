"""Conversations out of records: a line a message, a line a conversation, a line a log of many threads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from zhiling.pipeline.step import Bad
from zhiling.sources.chats.messages import Messages, Whole
from zhiling.sources.chats.reply_pairs import ReplyPairs, verdict
from zhiling.sources.chats.speakers import Speakers
from zhiling.sources.chats.threads import Log, add_threads
from zhiling.sources.chats.transcripts import read_transcript
from zhiling.sources.chats.turn_lists import Turn, alternating, read_turns, spoken
from zhiling.sources.files.lines import Block, excerpt
from zhiling.sources.names import find
from zhiling.sources.problem import Problem
from zhiling.sources.records.columns import Columns
from zhiling.sources.records.json_values import as_list
from zhiling.sources.records.records import Records

ConversationField = Literal[
    "conversation", "speaker", "time", "text", "turns", "links", "reply", "right", "label"
]
Fields = Mapping[ConversationField, str]
Chosen = dict[ConversationField, str | None]
NAMES: tuple[ConversationField, ...] = ("conversation", "speaker", "time", "text")
OF_WHOLES: tuple[ConversationField, ...] = ("links", "reply", "right", "label")
ON_DEMAND: tuple[ConversationField, ...] = ("reply", "right", "label")
CUT = frozenset({"truncated_gzip", "broken_gzip"})
"""Bad items behind which a file ends: what came before is whole."""


class Gatherer:
    """Gathers the messages of one file.

    Args:
        fields: ours → theirs; other names are found, but for `reply`, `right` and `label`.
        speakers: the roles of names.
        in_threads: the roles of names in a log of many threads.
    """

    def __init__(self, fields: Fields, speakers: Speakers, in_threads: Speakers) -> None:
        self.messages = Messages()
        self._fields = fields
        self._speakers = speakers
        self._in_threads = in_threads
        self._pairs = ReplyPairs()

    def add(self, records: Records) -> None:
        """Adds what these records hold."""
        columns = Columns(records)
        chosen: Chosen = {
            name: self._fields.get(name) or find("conversations", name, columns.names) for name in NAMES
        }
        chosen |= {name: self._fields.get(name) for name in ON_DEMAND}
        chosen["turns"] = self._fields.get("turns") or turns_field(columns.items, chosen["speaker"])
        chosen["links"] = self._fields.get("links") or _links_field(columns)
        if chosen["turns"] is None:
            self._message_lines(columns, chosen)
        else:
            self._conversation_lines(columns, chosen, chosen["turns"])
        self.messages.bad.extend(columns.problems())

    def chat(self, blocks: Iterable[Block | Bad], place: str) -> None:
        """Adds the one conversation that a file of text holds; it is called by its place."""
        bad, before = self.messages.bad, len(self.messages.bad)

        def lines() -> Iterable[tuple[int, str]]:
            for block in blocks:
                if isinstance(block, Bad):
                    bad.append(block)
                    if block.cls not in CUT:
                        self.messages.damaged.setdefault(place, _line_of(block))
                else:
                    yield from (
                        (number, line.decode()) for number, line in enumerate(block.lines, block.first)
                    )

        empty = True
        for said in read_transcript(lines()):
            empty = False
            turn = spoken(said, self._speakers)
            if isinstance(turn, Turn):
                self.messages.add(place, said.line, turn)
                continue
            bad.append(turn.at(f"{place}:{said.line}", excerpt(said.text)))
            if said.speaker:
                self.messages.damaged.setdefault(place, said.line)
        if empty and len(bad) == before:
            bad.append(Bad(f"{place}:1", "empty_file", "the file holds no record"))

    def finish(self, place: str) -> Messages:
        """All messages of the file, once everything was added."""
        self._pairs.settle(self.messages, place)
        return self.messages

    def _message_lines(self, columns: Columns, chosen: Chosen) -> None:
        conversations = columns.text(chosen["conversation"] or "conversation", required=True).to_list()
        speakers = columns.text(chosen["speaker"] or "speaker", required=True).to_list()
        text_field = chosen["text"] or "text"
        texts, times = columns.text(text_field).to_list(), columns.text(chosen["time"]).to_list()
        labels = columns.labels(chosen["label"])
        used = {name for name in chosen.values() if name}
        for index, item in enumerate(columns.items):
            conversation, speaker, line = conversations[index], speakers[index], columns.lines[index]
            role = self._speakers.role(speaker)
            if role is None:
                columns.refuse(index, "unknown_speaker", self._speakers.unknown(speaker))
            if text_field not in item:
                message = f"field {text_field!r} is missing; this record has {sorted(item)!r}"
                columns.refuse(index, "missing_field", message)
            if not columns.is_refused(index) and role is not None and conversation is not None:
                rest = _others(item, used)
                turn = Turn(role, texts[index] or "", speaker or "", times[index], labels[index], rest)
                self.messages.add(conversation, line, turn)
            elif conversation is not None:
                self.messages.damaged.setdefault(conversation, line)

    def _conversation_lines(self, columns: Columns, chosen: Chosen, turns: str) -> None:
        named = chosen["conversation"] if chosen["conversation"] != turns else None
        conversations = columns.text(named).to_list()
        labels = columns.labels(chosen["label"])
        used = {turns, *filter(None, (named, *(chosen[name] for name in OF_WHOLES)))}
        for index, item in enumerate(columns.items):
            if columns.is_refused(index):
                continue
            rest = _others(item, used)
            whole = Whole(columns.lines[index], conversations[index], labels[index] or [], rest)
            if chosen["links"] and item.get(chosen["links"]) is not None:
                problem = self._log(whole, item, chosen, columns.place)
            elif chosen["reply"]:
                problem = self._replied(whole, item, chosen, chosen["reply"])
            else:
                problem = self._plain(whole, item.get(turns), chosen)
            if problem is not None:
                columns.refuse(index, problem.cls, problem.message)

    def _log(self, whole: Whole, item: dict[str, Any], chosen: Chosen, place: str) -> Problem | None:
        listed, links = item.get(chosen["turns"] or ""), item[chosen["links"] or ""]
        messages = as_list(listed)
        if not messages:
            cls = "wrong_type" if listed else "empty_conversation"
            return Problem(cls, f"the messages of the log are {listed!r:.60}; at least one is needed")
        return add_threads(self.messages, Log(whole, messages, links, chosen, place), self._in_threads)

    def _plain(self, whole: Whole, value: Any, chosen: Chosen) -> Problem | None:
        turns = read_turns(value, chosen, self._speakers)
        if isinstance(turns, Problem):
            return turns
        self.messages.add_whole(whole, turns)
        return None

    def _replied(self, whole: Whole, item: dict[str, Any], chosen: Chosen, field: str) -> Problem | None:
        reply, context = item.get(field), item.get(chosen["turns"] or "")
        if not isinstance(reply, str):
            return Problem("missing_field", f"the reply {field!r} is {reply!r:.60}; a text is needed")
        right = verdict(item.get(chosen["right"])) if chosen["right"] else True
        if right is None:
            told = f"{chosen['right']!r} is {item.get(chosen['right'] or '')!r:.60}"
            return Problem("wrong_type", f"{told}; 1 or true (right), 0 or false (wrong) is needed")
        turns = alternating(context) or read_turns(context, chosen, self._speakers)
        if isinstance(turns, Problem):
            return turns
        self._pairs.add(self.messages, whole, turns, reply, right)
        return None


def turns_field(items: Sequence[Mapping[str, Any]], speaker: str | None) -> str | None:
    """The field that holds a list of turns; a text is taken for one where no field names a speaker."""
    kinds = (list,) if speaker else (list, str)
    for kind in kinds:
        held = dict.fromkeys(
            name for item in items for name, value in item.items() if isinstance(value, kind)
        )
        found = find("conversations", "turns", held)
        if found:
            return found
    return None


def _links_field(columns: Columns) -> str | None:
    """The field with reply links: pairs of numbers, so that a list of addresses is not taken for it."""
    name = find("conversations", "links", columns.names)
    for item in columns.items:
        pair = as_list((as_list(item.get(name or "")) or [None])[0])
        if pair is not None and len(pair) == 2 and all(type(each) is int for each in pair):
            return name
    return None


def _others(item: Mapping[str, Any], used: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in used and value is not None}


def _line_of(bad: Bad) -> int:
    return int(bad.place.rpartition(":")[2])
