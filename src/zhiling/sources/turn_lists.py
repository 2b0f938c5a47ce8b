"""Turn lists: the conversation that one record holds, in the shapes that people write them.

A turn is an object (`{"speaker": …, "text": …}` under any of the usual names), a pair (`["agent", "Hello"]`)
or a line (`"agent: Hello"`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zhiling.sources.json_values import as_list, as_object
from zhiling.sources.names import find
from zhiling.sources.problem import Problem

_LINE = re.compile(r"\s*([^:：\n]{1,40})[:：]\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Turn:
    """One message: user, assistant or system said a text."""

    role: str
    text: str
    time: str | None = None
    labels: list[str] | None = None
    rest: dict[str, Any] = field(default_factory=dict[str, Any])


def read_turns(
    value: Any, chosen: Mapping[Any, str | None], roles: Mapping[str, str]
) -> list[Turn] | Problem:
    """The turns of one conversation, or what is wrong with the first that cannot be read.

    Args:
        value: what the record holds.
        chosen: `speaker` and `text` → names that the recipe gives or the record has; others are found.
        roles: speaker in lower case → user, assistant or system.
    """
    listed = as_list(value)
    if not listed:
        return Problem("wrong_type", f"the turns are {value!r:.60}; a list of turns is needed")
    turns: list[Turn] = []
    for number, each in enumerate(listed, 1):
        parts = _parts(each, chosen)
        if parts is None:
            needed = "an object with speaker and text, a pair of both or a line 'speaker: text' is needed"
            return Problem("wrong_type", f"turn {number} is {each!r:.60}; {needed}")
        speaker, text, rest = parts
        role = roles.get(speaker.strip().casefold())
        if role is None:
            return Problem("unknown_speaker", f"turn {number}: {unknown(speaker, roles)}")
        turns.append(Turn(role, text, rest=rest))
    return turns


def unknown(speaker: str | None, roles: Mapping[str, str]) -> str:
    """What to say about a speaker that is neither customer nor agent."""
    allowed = ", ".join(name for name, role in roles.items() if role != "system")
    return f"speaker {speaker!r} is not known; name it under `roles` (known: {allowed})"


def _parts(turn: Any, chosen: Mapping[Any, str | None]) -> tuple[str, str, dict[str, Any]] | None:
    """Speaker, text and the rest of one turn."""
    if isinstance(turn, str):
        line = _LINE.fullmatch(turn)
        return (line[1], line[2], {}) if line else None
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
    return (
        fields[speaker],
        said,
        {n: v for n, v in fields.items() if n not in (speaker, text) and v is not None},
    )


def _name(ours: str, turn: Mapping[str, Any], chosen: Mapping[Any, str | None]) -> str | None:
    named = chosen[ours]
    return named if named in turn else find("conversations", ours, turn)
