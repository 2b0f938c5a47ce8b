"""Typed placeholders: numbered within a conversation, with all that points into the text moved along."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from zhiling.curation.personal_data import Finding, Kind, find

LABELS: Mapping[Kind, str] = {
    "email": "EMAIL",
    "phone": "PHONE",
    "card": "CARD",
    "resident_id": "ID",
    "ssn": "SSN",
    "iban": "IBAN",
    "ip": "IP",
    "secret": "SECRET",
}

PLACEHOLDER = re.compile(r"\[([A-Z]+)_(\d{1,9})\]")
_NAMES_ONLY = frozenset({"labels", "label", "tags"})  # names of classes: never personal
_LEAST_NUMBER = 10**6


class SpanCut(ValueError):
    """A span of `target` begins or ends inside a piece of personal data, so no place is left for it."""


@dataclass
class Numbering:
    """Which placeholder stands for which value, in one conversation or group."""

    given: dict[tuple[str, str], str] = field(default_factory=dict)
    last: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def reserve(self, text: str) -> None:
        """Placeholders that stand in the text already keep their numbers."""
        for label, number in PLACEHOLDER.findall(text):
            self.last[label] = max(self.last[label], int(number))

    def placeholder(self, finding: Finding) -> str:
        """The same value gets the same placeholder; a new one the next number of its label."""
        label = LABELS[finding.kind]
        key = label, finding.value
        if key not in self.given:
            self.last[label] += 1
            self.given[key] = f"[{label}_{self.last[label]}]"
        return self.given[key]


@dataclass(frozen=True)
class Rewritten:
    """A text without its findings, and how places in the old text map into it."""

    text: str
    edits: Sequence[tuple[int, int, int]] = ()
    """Old start, old end, new length, in order."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `[start, end)` lies now.

        Raises:
            SpanCut: one end lies inside a finding, and the span is not the whole of it or more.
        """
        return self._moved(start), self._moved(end)

    def place(self, at: int) -> int:
        """Where a place in the text lies now; inside a finding: at its start."""
        inside = [start for start, end, _ in self.edits if start < at < end]
        return self._moved(inside[0] if inside else at)

    def token(self, start: int, end: int) -> tuple[int, int]:
        """Where a token lies now; one that overlaps a finding grows to hold its whole placeholder."""
        for low, high, _ in self.edits:
            if low < end and start < high:
                start, end = min(start, low), max(end, high)
        return self.span(start, end)

    def _moved(self, at: int) -> int:
        shift = 0
        for start, end, length in self.edits:
            if start < at < end:
                raise SpanCut(f"place {at} lies inside the personal data at {start}-{end}")
            if at >= end:
                shift += length - (end - start)
        return at + shift


def rewrite(text: str, kinds: frozenset[Kind], numbering: Numbering) -> Rewritten:
    """The text with each finding replaced by its placeholder."""
    parts: list[str] = []
    edits: list[tuple[int, int, int]] = []
    done = 0
    for finding in find(text, kinds):
        placeholder = numbering.placeholder(finding)
        parts += [text[done : finding.start], placeholder]
        edits.append((finding.start, finding.end, len(placeholder)))
        done = finding.end
    return Rewritten("".join([*parts, text[done:]]), edits) if edits else Rewritten(text)


def rewrite_json(document: str, kinds: frozenset[Kind], numbering: Numbering) -> str:
    """A JSON document with the findings in its strings and long numbers replaced."""
    try:
        old = orjson.loads(document)
    except orjson.JSONDecodeError:
        return rewrite(document, kinds, numbering).text
    new = _strings(old, kinds, numbering)
    return document if new == old else orjson.dumps(new).decode()


def rewrite_target(
    document: str, messages: Sequence[Rewritten], kinds: frozenset[Kind], numbering: Numbering
) -> str:
    """A `target` whose strings are rewritten and whose spans and tokens point into the rewritten messages.

    Every object with `start` and `end` is a span in message `message` (0 if it names none); `tokens` are
    places in message 0. Tokens that fall into one placeholder become one token and keep the first one's
    tag.

    Raises:
        SpanCut: a span is cut through by a placeholder.
    """
    old = orjson.loads(document)
    new = _spans(_strings(old, kinds, numbering), messages)
    if isinstance(new, dict) and messages:
        new = _merged_tokens(cast(dict[str, Any], new), messages[0])
    return document if new == old else orjson.dumps(new).decode()


def _strings(value: Any, kinds: frozenset[Kind], numbering: Numbering) -> Any:
    if isinstance(value, str):
        return rewrite(value, kinds, numbering).text
    if isinstance(value, int) and value >= _LEAST_NUMBER:
        changed = rewrite(str(value), kinds, numbering)
        return changed.text if changed.edits else value
    if isinstance(value, list):
        return [_strings(item, kinds, numbering) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        return {
            key: item if key in _NAMES_ONLY else _strings(item, kinds, numbering)
            for key, item in fields.items()
        }
    return value


def _spans(value: Any, messages: Sequence[Rewritten]) -> Any:
    if isinstance(value, list):
        return [_spans(item, messages) for item in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    moved = {key: _spans(item, messages) for key, item in cast(dict[str, Any], value).items()}
    start, end, message = moved.get("start"), moved.get("end"), moved.get("message") or 0
    if isinstance(start, int) and isinstance(end, int) and 0 <= message < len(messages):
        moved["start"], moved["end"] = messages[message].span(start, end)
    return moved


def _merged_tokens(target: dict[str, Any], message: Rewritten) -> dict[str, Any]:
    tokens: Any = target.get("tokens")
    if not isinstance(tokens, list):
        return target
    old = cast(list[Any], tokens)
    if not all(isinstance(token, list) and len(cast(list[Any], token)) == 2 for token in old):
        return target
    places = [list(message.token(start, end)) for start, end in old]
    kept = [place for place in range(len(places)) if place == 0 or places[place] != places[place - 1]]
    tags: Any = target.get("tags")
    merged = {**target, "tokens": [places[place] for place in kept]}
    if isinstance(tags, list) and len(cast(list[Any], tags)) == len(places):
        merged["tags"] = [tags[place] for place in kept]
    return merged
