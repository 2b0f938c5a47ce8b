"""Turn lists: the conversation that one record holds, in the shapes that people write them.

A turn is an object (`{"speaker": …, "text": …}` under any of the usual names), a pair (`["agent", "Hello"]`)
or a line (`"agent: Hello"`, `"[10:02] <ann> Hello"`). A text instead of a list is a transcript. Beside a
reply, texts without a speaker take turns: the last one is the customer's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zhiling.sources.chats.speakers import NOTICE, Speakers
from zhiling.sources.chats.transcripts import Said, read_line, read_transcript
from zhiling.sources.names import find
from zhiling.sources.problem import Problem
from zhiling.sources.records.json_values import as_list, as_object

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Turn:
    """One message: somebody (or the log itself) said a text.

    Attributes:
        role: user, assistant, system, NOTICE or BY_ORDER.
        speaker: the name, as the source has it.
    """

    role: str
    text: str
    speaker: str = ""
    time: str | None = None
    labels: list[str] | None = None
    rest: dict[str, Any] = field(default_factory=dict[str, Any])


Chosen = Mapping[Any, str | None]


def read_turns(value: Any, chosen: Chosen, speakers: Speakers) -> list[Turn] | Problem:
    """The turns of one conversation, or what is wrong with the first that cannot be read.

    Args:
        value: what the record holds.
        chosen: `speaker` and `text` → names that the recipe gives or the record has; others are found.
        speakers: the roles of names.
    """
    if isinstance(value, str) and value.strip():
        return _transcript(value, speakers)
    listed = as_list(value)
    if listed is None and value is not None and value != "":
        return Problem("wrong_type", f"the turns are {value!r:.60}; a list of turns is needed")
    if not listed:
        return Problem("empty_conversation", f"the turns are {value!r}; at least one turn is needed")
    turns: list[Turn] = []
    for number, each in enumerate(listed, 1):
        turn = read_turn(each, chosen, speakers)
        if isinstance(turn, Problem):
            return Problem(turn.cls, f"turn {number}{turn.message}")
        turns.append(turn)
    return turns


def read_turn(value: Any, chosen: Chosen, speakers: Speakers) -> Turn | Problem:
    """One turn; the message of a problem goes on behind `turn 3`."""
    parts = _parts(value, chosen)
    if parts is None:
        needed = "an object with speaker and text, a pair of both or a line 'speaker: text' is needed"
        return Problem("wrong_type", f" is {value!r:.60}; {needed}")
    speaker, text, rest = parts
    role = NOTICE if speaker is None else speakers.role(speaker)
    if role is None:
        return Problem("unknown_speaker", f": {speakers.unknown(speaker)}")
    return Turn(role, text, speaker or "", rest=rest)


def alternating(texts: Any) -> list[Turn] | None:
    """Texts without speakers in turn, the last one the customer's; None where they are no list of texts."""
    listed = as_list(texts) or []
    if not listed or not all(isinstance(text, str) for text in listed):
        return None
    roles = ("user", "assistant")
    return [Turn(roles[(len(listed) - 1 - index) % 2], text) for index, text in enumerate(listed)]


def spoken(said: Said, speakers: Speakers) -> Turn | Problem:
    """A message of a transcript as a turn; its time stays in `rest`, because the lines are in order."""
    role = NOTICE if said.speaker is None else speakers.role(said.speaker)
    if said.speaker == "":
        return Problem("no_speaker", f"{said.text!r:.60} has no speaker; lines such as 'Ann: Hello' are read")
    if role is None:
        return Problem("unknown_speaker", speakers.unknown(said.speaker))
    rest = {"time": said.time} if said.time else {}
    return Turn(role, said.text, said.speaker or "", rest=rest)


def _transcript(text: str, speakers: Speakers) -> list[Turn] | Problem:
    turns: list[Turn] = []
    for said in read_transcript(enumerate(_LINE_END.split(text), 1)):
        turn = spoken(said, speakers)
        if isinstance(turn, Problem):
            return Problem(turn.cls, f"line {said.line} of the turns: {turn.message}")
        turns.append(turn)
    return turns


def _parts(turn: Any, chosen: Chosen) -> tuple[str | None, str, dict[str, Any]] | None:
    """Speaker, text and the rest of one turn; no speaker: a notice of the log."""
    if isinstance(turn, str):
        said = read_line(turn)
        return (said.speaker, said.text, {"time": said.time} if said.time else {}) if said else None
    pair = as_list(turn)
    if pair is not None:
        return (pair[0], pair[1], {}) if len(pair) == 2 and all(isinstance(p, str) for p in pair) else None
    fields = as_object(turn) or {}
    speaker, text = _name("speaker", fields, chosen), _name("text", fields, chosen)
    if speaker is None or text is None or not isinstance(fields[speaker], str):
        return None
    said = "" if fields[text] is None else fields[text]
    if not isinstance(said, str):
        return None
    rest = {n: v for n, v in fields.items() if n not in (speaker, text) and v is not None}
    return fields[speaker], said, rest


def _name(ours: str, turn: Mapping[str, Any], chosen: Chosen) -> str | None:
    named = chosen[ours]
    return named if named in turn else find("conversations", ours, turn)
