"""A text that was rewritten in places, and all that points into it moved along: spans, tokens, media."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

_NAMES_ONLY = frozenset({"labels", "label", "tags"})  # names of classes: never rewritten
_LEAST_NUMBER = 10**6


class SpanCut(ValueError):
    """A span of `target` begins or ends inside a rewritten piece, so no place is left for it."""


@dataclass(frozen=True)
class Rewritten:
    """A text with some pieces replaced, and how places in the old text map into it."""

    text: str
    edits: Sequence[tuple[int, int, int]] = ()
    """Old start, old end, new length, in order."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where `[start, end)` lies now.

        Raises:
            SpanCut: one end lies inside a replaced piece, and the span is not the whole of it or more.
        """
        return self._moved(start), self._moved(end)

    def place(self, at: int) -> int:
        """Where a place in the text lies now; inside a replaced piece: at its start."""
        inside = [start for start, end, _ in self.edits if start < at < end]
        return self._moved(inside[0] if inside else at)

    def token(self, start: int, end: int) -> tuple[int, int]:
        """Where a token lies now; one that overlaps a replaced piece grows to hold all that replaced it."""
        for low, high, _ in self.edits:
            if low < end and start < high:
                start, end = min(start, low), max(end, high)
        return self.span(start, end)

    def _moved(self, at: int) -> int:
        shift = 0
        for start, end, length in self.edits:
            if start < at < end:
                raise SpanCut(f"place {at} lies inside the text at {start}-{end} that is replaced")
            if at >= end:
                shift += length - (end - start)
        return at + shift


Piece = tuple[int, int, str]
"""Start, end (code points) and what should stand there."""

Rewriter = Callable[[str], Rewritten]


def replaced(text: str, pieces: Iterable[Piece]) -> Rewritten:
    """The text with each piece (start, end, new text) replaced; pieces in order, none overlapping."""
    parts: list[str] = []
    edits: list[tuple[int, int, int]] = []
    done = 0
    for start, end, new in pieces:
        parts += [text[done:start], new]
        edits.append((start, end, len(new)))
        done = end
    return Rewritten("".join([*parts, text[done:]]), edits) if edits else Rewritten(text)


class Taken:
    """Places of a text of which none overlaps another; asked and added to in logarithmic time."""

    def __init__(self, places: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in places:
            self.take(start, end)

    def take(self, start: int, end: int) -> bool:
        """Whether `[start, end)` was free, and from now on is not."""
        after = bisect_right(self._ends, start)  # the first that ends behind the start
        if after < len(self._starts) and self._starts[after] < end:
            return False
        self._starts.insert(after, start)
        self._ends.insert(after, end)
        return True


def one_edit(old: str, new: str) -> Rewritten:
    """The new text as one replaced piece of the old one, the smallest that there is."""
    if old == new:
        return Rewritten(old)
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    rest = shorter - start
    tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return Rewritten(new, [(start, len(old) - tail, len(new) - tail - start)])


def rewrite_json(document: str, rewriter: Rewriter) -> str:
    """A JSON document with its strings and long numbers rewritten; what is no JSON as one text."""
    try:
        old = orjson.loads(document)
    except orjson.JSONDecodeError:
        return rewriter(document).text
    new = _strings(old, rewriter)
    return document if new == old else orjson.dumps(new).decode()


def rewrite_target(document: str, messages: Sequence[Rewritten], rewriter: Rewriter) -> str:
    """A `target` whose strings are rewritten and whose spans and tokens point into the rewritten messages.

    Every object with `start` and `end` is a span in message `message` (0 if it names none); `tokens` are
    places in message 0. Tokens that fall into one replaced piece become one token and keep the first one's
    tag.

    Raises:
        SpanCut: a span is cut through by a replaced piece.
    """
    old = orjson.loads(document)
    new = _spans(_strings(old, rewriter), messages)
    if isinstance(new, dict) and messages:
        new = _merged_tokens(cast(dict[str, Any], new), messages[0])
    return document if new == old else orjson.dumps(new).decode()


def _strings(value: Any, rewriter: Rewriter) -> Any:
    if isinstance(value, str):
        return rewriter(value).text
    if isinstance(value, int) and value >= _LEAST_NUMBER:
        changed = rewriter(str(value))
        return changed.text if changed.edits else value
    if isinstance(value, list):
        return [_strings(item, rewriter) for item in cast(list[Any], value)]
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        return {key: item if key in _NAMES_ONLY else _strings(item, rewriter) for key, item in fields.items()}
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
